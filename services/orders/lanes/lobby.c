#include "orders/lanes/lobby.h"

#include <string.h>

#define PROBES_MAX 32

_Static_assert(LOBBY_SLOTS >= 4 * LANES_BATCH_MAX, "chains stay short");
_Static_assert((LOBBY_SLOTS & (LOBBY_SLOTS - 1)) == 0, "a hash is cut to the table's size");
_Static_assert(LANES_BATCH_MAX < UINT16_MAX, "an index fits a slot");

void lobby_init(struct lobby *lobby, const struct system_port *system)
{
    *lobby = (struct lobby){0};
    list_init(&lobby->entries);
    system->random_bytes(system->data, (uint8_t *)&lobby->_salt, sizeof(lobby->_salt));
}

bool lobby_waits(const struct lobby *lobby)
{
    return !lobby->is_taken && !list_is_empty(&lobby->entries);
}

static size_t slot_of(const struct lobby *lobby, const struct uuid *sale_id)
{
    uint64_t halves[2];
    memcpy(halves, sale_id->bytes, sizeof(halves));
    uint64_t hash = (halves[0] ^ lobby->_salt) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ (hash >> 32) ^ halves[1]) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(hash >> 32) & (LOBBY_SLOTS - 1);
}

/* Finds or adds a sale; false when it meets too many others. */
static bool find_sale(struct lobby *lobby, struct lane_task *task, const struct uuid *sale_id,
                      size_t *ret_index)
{
    size_t at = slot_of(lobby, sale_id);

    for (size_t probe = 0; probe < PROBES_MAX; probe++) {
        uint16_t *slot = &lobby->_slots[(at + probe) & (LOBBY_SLOTS - 1)];
        if (*slot == 0) {
            task->sale_ids[task->sale_count++] = *sale_id;
            *slot = (uint16_t)task->sale_count;
        } else if (!uuid_equal(&task->sale_ids[*slot - 1], sale_id)) {
            continue;
        }
        *ret_index = *slot - 1U;
        return true;
    }
    return false;
}

void lobby_take(struct lobby *lobby, struct lane_task *task)
{
    CHECK(lobby_waits(lobby));
    task->kind = LANE_TASK_LOBBY;
    task->_lobby_count = 0;
    task->sale_count = 0;
    memset(lobby->_slots, 0, sizeof(lobby->_slots));
    LIST_FOREACH_SAFE (&lobby->entries, link, following) {
        struct lane_entry *entry = LIST_OBJECT(link, struct lane_entry, _link);
        if (task->_lobby_count == COUNT_OF(task->sale_ids) ||
            !find_sale(lobby, task, entry->_sale_id, &entry->_looked_up)) {
            break;
        }
        task->_lobby_count++;
    }
    CHECK(task->_lobby_count > 0);
    lobby->is_taken = true;
}

void lobby_enter(struct lobby *lobby, enum lane_kind kind, struct list *arriving, size_t count)
{
    CHECK(kind < LANE_QUEUES);
    lobby->counts[kind] += list_append_some(&lobby->entries, arriving, count);
}

struct lane_entry *lobby_leave(struct lobby *lobby)
{
    struct list_link *link = list_first(&lobby->entries);
    CHECK(link != NULL);
    struct lane_entry *entry = LIST_OBJECT(link, struct lane_entry, _link);
    lobby_remove(lobby, entry);
    return entry;
}

void lobby_remove(struct lobby *lobby, struct lane_entry *entry)
{
    list_remove(&lobby->entries, &entry->_link);
    CHECK(lobby->counts[entry->_kind] > 0);
    lobby->counts[entry->_kind]--;
}
