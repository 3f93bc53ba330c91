#!/usr/bin/env bash
# The page of settings says what the programs say: a setting that is added, renamed or bounded anew
# without the page is found here.
#     settings_page_test.sh <folder of the programs>
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
if ! diff -u "$root/docs/settings.md" <("$root/tools/dev/settings-page" "$1"); then
    echo "FAILED: docs/settings.md is stale; run: tools/dev/settings-page $1 >docs/settings.md" >&2
    exit 1
fi
