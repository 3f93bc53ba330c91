# shellcheck shell=bash
# Rebuilds and restarts on a source change. Needs stack.sh and all that it needs.

readonly -a WATCHED=(CMakeLists.txt CMakePresets.json cmake proto libs services migrations tools)

# Builds what changed and, if that went well, restarts the programs that differ from what runs: the
# old one is drained first. A build that fails leaves the old ones running.
_watch_rebuild() {
    stack_lock
    if step "rebuilding" "fix it; the programs from before go on running" _stack_build &&
        step "migrating" "fix it; the programs from before go on running" \
            postgres_migrate "$watch_migration_url" "$root"; then
        _watch_restart || say "dev: not everything runs now; the next change tries again"
    fi
    stack_unlock
}

# Restarts what is out of date and leaves the rest alone.
_watch_restart() {
    step "stampede-orders" "see $state/log/orders.log" \
        _stack_ensure_program orders ORDERS_OPS_ADDR &&
        step "stampede-edge" "see $state/log/edge.log" _stack_ensure_program edge EDGE_OPS_ADDR
}

# A burst of events, a checkout of another branch say, is one change.
_watch_tick() {
    local event changed=""
    while IFS= read -r -t 0.01 -u "$watch_events" event; do
        changed="${changed:-$event}"
    done
    [[ -n $changed ]] || return 0
    while IFS= read -r -t 0.3 -u "$watch_events" event; do
        :
    done
    say "==> ${changed#"$root"/} changed"
    _watch_rebuild
}

watch_run() {
    local status=0 inotify_pid
    (($# == 0)) || fail "watch takes no argument" "./dev help"
    packages_need "${PACKAGES_UP[@]}" "${PACKAGES_WATCH[@]}"
    become_caller watch
    prepare_state
    settings_load
    stack_lock
    stack_start || fail "not everything is up; what is stays up" "./dev status; ./dev down"
    watch_migration_url="$DATABASE_URL"
    [[ $settings_private_database == no ]] ||
        watch_migration_url="$(postgres_url "$state/pg" owner)"
    stack_unlock
    _stack_print_summary
    exec {watch_events}< <(cd "$root" && exec inotifywait --quiet --monitor --recursive \
        --event close_write,create,delete,move --format '%w%f' \
        --exclude '(\.sw.?|~|/\.[^/]*|/[0-9]+)$' "${WATCHED[@]}")
    inotify_pid=$!
    say "Watching the sources; Ctrl+C drains and stops everything."
    stack_follow _watch_tick || status=$?
    kill "$inotify_pid" 2>/dev/null || true
    return "$status"
}
