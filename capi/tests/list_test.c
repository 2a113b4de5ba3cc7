/*
 * sof/list.h, which the contract names among the headers that such code includes; what it holds are
 * the names that existing code uses.
 *
 *   struct list_item, list_init(), list_is_empty()           a_new_list_is_empty
 *   list_item_prepend(), list_item_append()                  items_go_in_at_either_end
 *   list_item_del()                                          items_leave_from_anywhere
 *   list_item_is_last()                                      the_last_one_is_known
 *   list_item(), list_first_item(), list_next_item()         items_know_their_object
 *   list_for_item(), list_for_item_prev(),
 *     list_for_item_safe()                                   lists_are_walked_both_ways
 *   list_relocate()                                          a_list_moves_to_another_head
 */
#include <sof/list.h>

#include "capi/tests/support.h"

struct thing {
  int number;
  struct list_item link;
};

static void a_new_list_is_empty(void** state) {
  (void)state;
  struct list_item list;
  list_init(&list);
  assert_true(list_is_empty(&list));
  assert_ptr_equal(list.next, &list);
  assert_ptr_equal(list.prev, &list);
  struct list_item* item = NULL;
  list_for_item(item, &list) { fail(); }
  list_for_item_prev(item, &list) { fail(); }
}

static void items_go_in_at_either_end(void** state) {
  (void)state;
  struct list_item list;
  struct list_item items[3];
  list_init(&list);
  list_item_append(&items[1], &list);
  list_item_append(&items[2], &list);
  list_item_prepend(&items[0], &list);
  assert_false(list_is_empty(&list));
  assert_ptr_equal(list.next, &items[0]);
  assert_ptr_equal(items[0].next, &items[1]);
  assert_ptr_equal(items[1].next, &items[2]);
  assert_ptr_equal(items[2].next, &list);
  assert_ptr_equal(list.prev, &items[2]);
  assert_ptr_equal(items[2].prev, &items[1]);
  assert_ptr_equal(items[1].prev, &items[0]);
  assert_ptr_equal(items[0].prev, &list);
}

static void items_leave_from_anywhere(void** state) {
  (void)state;
  struct list_item list;
  struct list_item items[3];
  for (size_t leaving = 0; leaving < 3; leaving++) {
    list_init(&list);
    for (size_t i = 0; i < 3; i++) {
      list_item_append(&items[i], &list);
    }
    list_item_del(&items[leaving]);
    list_item_del(&items[leaving]); /* again: it is in no list */
    assert_true(list_is_empty(&items[leaving]));
    size_t count = 0;
    struct list_item* item = NULL;
    list_for_item(item, &list) {
      assert_ptr_not_equal(item, &items[leaving]);
      count++;
    }
    assert_int_equal(count, 2);
  }
}

static void the_last_one_is_known(void** state) {
  (void)state;
  struct list_item list;
  struct list_item items[2];
  list_init(&list);
  list_item_append(&items[0], &list);
  assert_true(list_item_is_last(&items[0], &list));
  list_item_append(&items[1], &list);
  assert_false(list_item_is_last(&items[0], &list));
  assert_true(list_item_is_last(&items[1], &list));
}

static void items_know_their_object(void** state) {
  (void)state;
  struct list_item list;
  struct thing things[2] = {{.number = 11}, {.number = 22}};
  list_init(&list);
  list_item_append(&things[0].link, &list);
  list_item_append(&things[1].link, &list);
  assert_ptr_equal(list_item(&things[1].link, struct thing, link), &things[1]);
  struct thing* first = list_first_item(&list, struct thing, link);
  assert_int_equal(first->number, 11);
  assert_int_equal(list_next_item(first, link)->number, 22);
}

static void lists_are_walked_both_ways(void** state) {
  (void)state;
  struct list_item list;
  struct thing things[5];
  list_init(&list);
  for (int i = 0; i < 5; i++) {
    things[i].number = i;
    list_item_append(&things[i].link, &list);
  }
  struct list_item* item = NULL;
  struct list_item* next = NULL;
  int expected = 0;
  list_for_item(item, &list) {
    assert_int_equal(list_item(item, struct thing, link)->number, expected++);
  }
  assert_int_equal(expected, 5);
  list_for_item_prev(item, &list) {
    assert_int_equal(list_item(item, struct thing, link)->number, --expected);
  }
  assert_int_equal(expected, 0);
  list_for_item_safe(item, next, &list) {
    assert_int_equal(list_item(item, struct thing, link)->number, expected++);
    list_item_del(item);
  }
  assert_int_equal(expected, 5);
  assert_true(list_is_empty(&list));
}

static void a_list_moves_to_another_head(void** state) {
  (void)state;
  struct list_item list;
  struct list_item other;
  struct list_item items[2];
  list_init(&list);
  list_item_append(&items[0], &list);
  list_item_append(&items[1], &list);
  list_relocate(&other, &list);
  assert_true(list_is_empty(&list));
  assert_ptr_equal(other.next, &items[0]);
  assert_ptr_equal(other.prev, &items[1]);
  assert_ptr_equal(items[0].prev, &other);
  assert_ptr_equal(items[1].next, &other);
  list_relocate(&other, &list); /* an empty one */
  assert_true(list_is_empty(&other));
}

int main(void) {
  static const struct CMUnitTest kTests[] = {
      TEST(a_new_list_is_empty),          TEST(items_go_in_at_either_end),
      TEST(items_leave_from_anywhere),    TEST(the_last_one_is_known),
      TEST(items_know_their_object),      TEST(lists_are_walked_both_ways),
      TEST(a_list_moves_to_another_head),
  };
  return RUN_TESTS("list", kTests);
}
