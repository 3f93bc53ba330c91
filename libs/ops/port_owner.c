#include "ops/port_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A port has one listening socket for each address, or many with SO_REUSEPORT; the first are enough
 * to find an owner. */
#define INODES_MAX 16

/* The state of a listening socket in /proc/net/tcp. */
#define STATE_LISTEN 0x0a

#define LINK_BYTES_MAX 512

/* The sockets that listen on a port. */
struct sockets {
    size_t count;
    unsigned long inodes[INODES_MAX];
};

/* One line of proc(5)'s /proc/net/tcp; the heading and anything unknown is passed over. */
static void take_line(const char *line, uint16_t port, struct sockets *sockets)
{
    unsigned local_port, state;
    unsigned long inode;
    int fields = sscanf(line,
                        "%*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u "
                        "%lu",
                        &local_port, &state, &inode);
    if (fields == 3 && local_port == port && state == STATE_LISTEN && sockets->count < INODES_MAX) {
        sockets->inodes[sockets->count++] = inode;
    }
}

static void read_table(const char *path, uint16_t port, struct sockets *sockets)
{
    char *line = NULL;
    size_t capacity = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    while (getline(&line, &capacity, file) >= 0) {
        take_line(line, port, sockets);
    }
    free(line);
    fclose(file);
}

/* Whether a descriptor's link text, "socket:[123]", is one of the sockets. */
static bool is_one_of(const char *link, const struct sockets *sockets)
{
    unsigned long inode;
    if (sscanf(link, "socket:[%lu]", &inode) != 1) {
        return false;
    }
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->inodes[i] == inode) {
            return true;
        }
    }
    return false;
}

/* Reads a link below the folder fd, cut to LINK_BYTES_MAX; false if it cannot be read. */
static bool read_link(int folder, const char *name, char ret_text[LINK_BYTES_MAX])
{
    ssize_t length = readlinkat(folder, name, ret_text, LINK_BYTES_MAX - 1);
    if (length < 0) {
        return false;
    }
    ret_text[length] = '\0';
    return true;
}

/* Whether the process, a folder of /proc, has one of the sockets open. */
static bool holds(int process, const struct sockets *sockets)
{
    char link[LINK_BYTES_MAX];
    bool found = false;
    int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    DIR *folder = fdopendir(fd);
    if (folder == NULL) {
        close(fd);
        return false;
    }
    for (struct dirent *entry; !found && (entry = readdir(folder)) != NULL;) {
        found = read_link(fd, entry->d_name, link) && is_one_of(link, sockets);
    }
    closedir(folder);
    return found;
}

static void set_program(struct port_owner *owner, const char *name, size_t length)
{
    owner->program[0] = '\0';
    for (size_t i = 0; i < length && i < PORT_OWNER_PROGRAM_CHARS_MAX; i++) {
        owner->program[i] = '?';
        if (isprint((unsigned char)name[i])) {
            owner->program[i] = name[i];
        }
        owner->program[i + 1] = '\0';
    }
}

/* The executable's file name, or what the kernel calls the process where that may not be read. */
static void name_program(int process, struct port_owner *owner)
{
    char text[LINK_BYTES_MAX];
    if (read_link(process, "exe", text)) {
        const char *slash = strrchr(text, '/');
        const char *name = slash == NULL ? text : slash + 1;
        const char *deleted = strstr(name, " (deleted)");
        set_program(owner, name, deleted == NULL ? strlen(name) : (size_t)(deleted - name));
        return;
    }
    int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text));
    set_program(owner, text, length > 0 ? (size_t)length - 1 : 0);
    if (fd >= 0) {
        close(fd);
    }
}

/* Looks into one entry of /proc. */
static bool take_process(int proc, const char *name, const struct sockets *sockets,
                         struct port_owner *ret_owner)
{
    char *end;
    long pid = strtol(name, &end, 10);
    if (pid <= 0 || *end != '\0' || pid > INT_MAX) {
        return false;
    }
    int process = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (process < 0) {
        return false;
    }
    bool found = holds(process, sockets);
    if (found) {
        ret_owner->pid = (pid_t)pid;
        name_program(process, ret_owner);
    }
    close(process);
    return found;
}

int port_owner_find(uint16_t port, struct port_owner *ret_owner)
{
    struct sockets sockets = {.count = 0};
    bool found = false;
    read_table("/proc/net/tcp", port, &sockets);
    read_table("/proc/net/tcp6", port, &sockets);
    if (sockets.count == 0) {
        return -ENOENT;
    }
    DIR *proc = opendir("/proc");
    if (proc == NULL) {
        return -EACCES;
    }
    for (struct dirent *entry; !found && (entry = readdir(proc)) != NULL;) {
        found = take_process(dirfd(proc), entry->d_name, &sockets, ret_owner);
    }
    closedir(proc);
    return found ? 0 : -EACCES;
}

void port_owner_describe(const char *address, uint16_t port,
                         char ret_text[PORT_OWNER_TEXT_BYTES_MAX])
{
    struct port_owner owner;
    if (port_owner_find(port, &owner) == 0) {
        snprintf(ret_text, PORT_OWNER_TEXT_BYTES_MAX, "%.80s is taken by %s (pid %d)", address,
                 owner.program, (int)owner.pid);
    } else {
        snprintf(ret_text, PORT_OWNER_TEXT_BYTES_MAX,
                 "%.80s is taken by a process that cannot be seen from here", address);
    }
}
