#include "typedsql/text_file.h"

#include "base/arena.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, char *buffer, size_t size, size_t *ret_length)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(fd, buffer + length, size - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {
            break;
        }
        length += (size_t)got;
    }
    *ret_length = length;
    return 0;
}

static int read_open_file(struct arena *arena, int fd, const char **ret_text, size_t *ret_length)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return -errno;
    }
    if (!S_ISREG(status.st_mode)) {
        return S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
    }
    if (status.st_size > TEXT_FILE_BYTES_MAX) {
        return -EFBIG;
    }
    char *text = arena_alloc(arena, (size_t)status.st_size + 1);
    if (text == NULL) {
        return -ENOMEM;
    }
    size_t length = 0;
    int status_code = read_all(fd, text, (size_t)status.st_size, &length);
    if (status_code < 0) {
        return status_code;
    }
    if (memchr(text, '\0', length) != NULL || !text_is_utf8(text, length)) {
        return -EILSEQ;
    }
    text[length] = '\0';
    *ret_text = text;
    *ret_length = length;
    return 0;
}

int text_file_read(struct arena *arena, const char *path, const char **ret_text, size_t *ret_length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int status = read_open_file(arena, fd, ret_text, ret_length);
    close(fd);
    return status;
}

/* Whether the file holds just these bytes. */
static bool is_the_same(const char *path, const char *text, size_t length)
{
    bool same = false;
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return false;
    }
    size_t at = 0;
    int byte;
    while ((byte = fgetc(file)) != EOF && at < length && (unsigned char)text[at] == byte) {
        at++;
    }
    same = byte == EOF && at == length && ferror(file) == 0;
    fclose(file);
    return same;
}

static int write_new(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "wbe");
    if (file == NULL) {
        return -errno;
    }
    errno = 0;
    bool written = fwrite(text, 1, length, file) == length;
    int status = written ? 0 : -errno;
    if (fclose(file) != 0 && status == 0) {
        status = -errno;
    }
    return status;
}

int text_file_write(const char *path, const char *text, size_t length)
{
    char temporary[PATH_MAX];
    if (is_the_same(path, text, length)) {
        return 0;
    }
    int chars = snprintf(temporary, sizeof(temporary), "%s.new-%ld", path, (long)getpid());
    if (chars < 0 || (size_t)chars >= sizeof(temporary)) {
        return -ENAMETOOLONG;
    }
    int status = write_new(temporary, text, length);
    if (status == 0 && rename(temporary, path) < 0) {
        status = -errno;
    }
    if (status < 0) {
        unlink(temporary);
    }
    return status;
}
