# What is asked of every service of compose.yaml, whoever adds one. Reads the file itself, with its
# ${NAME:-default} put in by services_test.sh, or what a compose tool's `config` makes of it. Prints a
# line for each thing that is missing, and in the end how many services it saw; exit status 1 if
# anything is missing.
#
#     docker compose --profile ... config | awk -f services.awk

BEGIN {
    # These run once and end by themselves; everything else goes on and has to say how it is.
    split("migrate load k6 test", names, " ")
    for (i in names) { runs_once[names[i]] = 1 }
    split("app observability tools test", names, " ")
    for (i in names) { is_profile[names[i]] = 1 }
    # The time that a drain takes beyond its pause and its timeout, at most.
    drain_end_s = 7
}

{ sub(/[ \t]+#.*$/, "") }
/^[ \t]*(#.*)?$/ { next }
/^[^ ]/ { section = $1; service = ""; next }
section != "services:" { next }
/^  [A-Za-z0-9_-]+:$/ {
    service = $1
    sub(/:$/, "", service)
    services[++service_count] = service
    next
}
/^    [^ -]/ {
    key = $1
    sub(/:$/, "", key)
    value = $0
    sub(/^    [^ ]+ ?/, "", value)
    text[service, key] = clean(value)
    next
}
# Deeper, or a list on the level of its key.
{ text[service, key] = text[service, key] "\n" clean($0) }

function clean(line) {
    gsub(/["\047]/, "", line)
    sub(/^ +/, "", line)
    return line
}

function complain(service, what) {
    print service ": " what
    complaints++
}

# demand(service, key, pattern): the key is there, and its text matches.
function demand(service, key, pattern) {
    if (text[service, key] !~ pattern) {
        complain(service, key " is to match " pattern (((service, key) in text) ? \
            ", is " text[service, key] : ", is missing"))
    }
}

function forbid(service, key) {
    if ((service, key) in text) { complain(service, key " is not to be there") }
}

# "1m0s", "30s" in seconds.
function seconds(duration,    total) {
    if (match(duration, /[0-9]+m/)) { total += 60 * substr(duration, RSTART, RLENGTH - 1) }
    if (match(duration, /[0-9]+s/)) { total += substr(duration, RSTART, RLENGTH - 1) }
    return total
}

# count(text, pattern): how often; the pattern is a string, for a function cannot be given another.
function count(where, pattern) { return gsub(pattern, "", where) }

# The milliseconds of a setting whose name ends so; 0 if there is none.
function setting_ms(service, name) {
    if (!match(text[service, "environment"], name ": *[0-9]+")) { return 0 }
    return substr(text[service, "environment"], RSTART + length(name) + 1, \
        RLENGTH - length(name) - 1) + 0
}

# Each published port, in either notation, is on 127.0.0.1.
function check_ports(service,    ports) {
    if (!((service, "ports") in text)) { return }
    ports = text[service, "ports"]
    if (ports ~ /target:/) {
        if (count(ports, "target:") != count(ports, "host_ip: 127[.]0[.]0[.]1")) {
            complain(service, "a port is open on more than 127.0.0.1")
        }
    } else if (count(ports, "\n- ") == 0 || count(ports, "\n- ") != count(ports, "\n- 127[.]0[.]0[.]1:")) {
        complain(service, "a port is open on more than 127.0.0.1")
    }
}

function check_profiles(service,    names, i, n, listed) {
    listed = text[service, "profiles"]
    if (service == "postgres") {
        if (listed != "") { complain(service, "is the default profile") }
        return
    }
    n = split(listed, names, /[^a-z]+/)
    for (i = 1; i <= n; i++) {
        if (names[i] != "" && !(names[i] in is_profile)) {
            complain(service, "there is no profile " names[i])
        }
    }
    if (listed !~ /[a-z]/) { complain(service, "has no profile, so everybody gets it") }
}

function check_always(service) {
    demand(service, "image", ":[A-Za-z0-9]")
    if (text[service, "image"] ~ /:latest$/) { complain(service, "its image is not pinned") }
    demand(service, "read_only", "^true$")
    demand(service, "cap_drop", "(^|[^A-Z])ALL($|[^A-Z])")
    demand(service, "security_opt", "no-new-privileges:true")
    demand(service, "mem_limit", "^[1-9]")
    demand(service, "pids_limit", "^[1-9]")
    demand(service, "networks", "[a-z]")
    demand(service, "logging", "(^[*]small-log$|max-size)")
    if ((service, "build") in text) { demand(service, "pull_policy", "^never$") }
    forbid(service, "privileged")
    forbid(service, "cap_add")
    forbid(service, "network_mode")
    forbid(service, "pid")
    forbid(service, "ipc")
    forbid(service, "devices")
    forbid(service, "user")
    if (text[service, "volumes"] ~ /docker\.sock/) { complain(service, "has the engine's socket") }
    if (((service, "depends_on") in text)) { demand(service, "depends_on", "condition: ") }
    check_ports(service)
    check_profiles(service)
}

function check_that_goes_on(service,    grace_s, drain_s) {
    demand(service, "healthcheck", "test:")
    demand(service, "healthcheck", "interval:")
    demand(service, "healthcheck", "timeout:")
    demand(service, "healthcheck", "retries:")
    demand(service, "healthcheck", "start_period:")
    demand(service, "restart", "^on-failure$")
    demand(service, "stop_grace_period", "^[1-9]")
    grace_s = seconds(text[service, "stop_grace_period"])
    drain_s = (setting_ms(service, "_DRAIN_PAUSE_MS") + setting_ms(service, "_DRAIN_TIMEOUT_MS")) / 1000
    if (drain_s > 0 && grace_s < drain_s + drain_end_s) {
        complain(service, "stop_grace_period is " grace_s " s, a drain may take " \
            drain_s + drain_end_s " s")
    }
    if (service ~ /^(edge|orders)$/ && drain_s == 0) { complain(service, "has no drain") }
}

END {
    for (i = 1; i <= service_count; i++) {
        check_always(services[i])
        if (!(services[i] in runs_once)) { check_that_goes_on(services[i]) }
    }
    if (service_count < 11) { complain("services", "only " service_count + 0 " were found") }
    if (complaints > 0) { exit 1 }
    print service_count " services, each with all that is asked of it"
}
