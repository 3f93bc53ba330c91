#!/usr/bin/env bash
# Every query of the project against a schema made from migrations/, as ./dev sql check does it: a
# migration that breaks a query, or a cache that was not committed with it, fails ./dev test.
#
#   check_test.sh <typedsql>
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd -P)"
export TYPEDSQL="$1"
# shellcheck source=tools/dev/sql.sh
. "$root/tools/dev/sql.sh"
sql_run check
