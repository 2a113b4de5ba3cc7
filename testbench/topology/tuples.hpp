// Vendor tuples: the (token, value) pairs that a driver attaches to an object of a topology.
//
// A file holds them as arrays of one value type. The order of the tuples and the array that each
// came from are kept, because what a repeated token means depends on them.
// Cost: one allocation per list, plus one per long string. Lookups are linear in the tuples of one
// object, of which production files have up to 300.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "testbench/topology/byte_reader.hpp"
#include "testbench/topology/uuid.hpp"

namespace modmem::testbench {

enum class TupleType : std::uint32_t {
  uuid = SND_SOC_TPLG_TUPLE_TYPE_UUID,
  string = SND_SOC_TPLG_TUPLE_TYPE_STRING,
  boolean = SND_SOC_TPLG_TUPLE_TYPE_BOOL,
  byte = SND_SOC_TPLG_TUPLE_TYPE_BYTE,
  word = SND_SOC_TPLG_TUPLE_TYPE_WORD,
  half_word = SND_SOC_TPLG_TUPLE_TYPE_SHORT,
};

struct Tuple {
  std::uint32_t token = 0;
  TupleType type = TupleType::word;
  std::uint32_t array = 0;  // which array of the object it stood in, from 0
  // Booleans, bytes, words and half words are numbers; a file gives each of them 32 bits.
  std::variant<std::uint32_t, std::string, Uuid> value;
};

struct Tuples {
  std::vector<Tuple> list;  // in file order

  // The value of the first tuple with `token` that is a number, a string or a UUID respectively.
  // Tuples of another kind are passed over, as drivers do.
  std::optional<std::uint32_t> number(std::uint32_t token) const;
  std::optional<std::string> string(std::uint32_t token) const;
  std::optional<Uuid> uuid(std::uint32_t token) const;

  // The values of all tuples with `token` that are strings, in file order.
  std::vector<std::string> strings(std::uint32_t token) const;
};

// The tuples that make up all that remains of `reader`. Throws InputError where an array's size,
// type or element count do not fit each other or the bytes there are.
Tuples parse_tuples(ByteReader reader);

}  // namespace modmem::testbench
