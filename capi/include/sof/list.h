/*
 * sof/list.h: doubly linked lists whose links lie in the objects themselves.
 *
 * A list is a ring: its head is an item like the others, and an empty head points to itself. So
 * nothing here has a special case for the ends, and nothing allocates or fails. Each call is O(1)
 * but where it says otherwise. Not thread-safe: the list's user holds a lock.
 *
 *   head.next == &head          the list is empty, or the item is in no list
 *   item->next->prev == item == item->prev->next
 */
#ifndef MODMEM_SOF_LIST_H_
#define MODMEM_SOF_LIST_H_

/* SOF's own header, if it follows, has the same content. */
#define __SOF_LIST_H__

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct list_item {
  struct list_item* next;
  struct list_item* prev;
};

/* The initial value of a head: `struct list_item head = LIST_INIT(head);`, or of a member. */
#define LIST_INIT(head) \
  { &(head), &(head) }

/* Defines an empty list. */
#define DECLARE_LIST_ITEM(name) struct list_item name = LIST_INIT(name)

/* Makes `list` an empty list, or an item that is in none. Whatever it was linked to is not told. */
static inline void list_init(struct list_item* list) {
  list->next = list;
  list->prev = list;
}

/* Puts `item`, which is in no list, in front of all items of `list`. */
static inline void list_item_prepend(struct list_item* item, struct list_item* list) {
  item->prev = list;
  item->next = list->next;
  item->next->prev = item;
  list->next = item;
}

/* Puts `item`, which is in no list, behind all items of `list`. */
static inline void list_item_append(struct list_item* item, struct list_item* list) {
  item->next = list;
  item->prev = list->prev;
  item->prev->next = item;
  list->prev = item;
}

/* Takes `item` out of its list; it is then in none, so a second call changes nothing. */
static inline void list_item_del(struct list_item* item) {
  item->prev->next = item->next;
  item->next->prev = item->prev;
  list_init(item);
}

/* Whether `item` is the last one of `list`. */
static inline int list_item_is_last(const struct list_item* item, const struct list_item* list) {
  return item->next == list;
}

/* Whether the list has no items. */
static inline int list_is_empty(const struct list_item* list) { return list->next == list; }

/*
 * Gives the items of `old_list` to the head `new_list`, whose own links are not looked at, in their
 * order. `old_list` is empty then.
 */
static inline void list_relocate(struct list_item* new_list, struct list_item* old_list) {
  if (list_is_empty(old_list)) {
    list_init(new_list);
    return;
  }
  new_list->next = old_list->next;
  new_list->prev = old_list->prev;
  new_list->next->prev = new_list;
  new_list->prev->next = new_list;
  list_init(old_list);
}

/*
 * The head of a list was copied from `old_list` to `new_list`, with the object that it lies in: the
 * items are linked to the copy. `old_list` is not looked at any more, only its address is.
 */
static inline void list_relink(struct list_item* new_list, struct list_item* old_list) {
  if (new_list->next == old_list) {
    list_init(new_list);
    return;
  }
  new_list->next->prev = new_list;
  new_list->prev->next = new_list;
}

/* The object of `type` whose `member` is `item`. */
#define list_item(item, type, member) ((type*)((char*)(item)-offsetof(type, member)))

/* The object whose `member` is the first item of `list`, which is not empty. */
#define list_first_item(list, type, member) list_item((list)->next, type, member)

/* The object behind `object` in the list that its `member` is in; `object` is not the last one. */
#define list_next_item(object, member) \
  list_item((object)->member.next, __typeof__(*(object)), member)

/* Goes through the items of `list`, which stay in it meanwhile. O(items). */
#define list_for_item(item, list) \
  for ((item) = (list)->next; (item) != (list); (item) = (item)->next)

/* The same from the last to the first. */
#define list_for_item_prev(item, list) \
  for ((item) = (list)->prev; (item) != (list); (item) = (item)->prev)

/* The same, and `item` may be taken out and ended: `tmp` has the next one already. */
#define list_for_item_safe(item, tmp, list)                           \
  for ((item) = (list)->next, (tmp) = (item)->next; (item) != (list); \
       (item) = (tmp), (tmp) = (item)->next)

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_SOF_LIST_H_ */
