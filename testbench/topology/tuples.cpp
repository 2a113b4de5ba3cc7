#include "testbench/topology/tuples.hpp"

#include <utility>

namespace modmem::testbench {
namespace {

template <typename Value>
std::optional<Value> first(const Tuples& tuples, std::uint32_t token) {
  for (const Tuple& tuple : tuples.list) {
    if (tuple.token != token) {
      continue;
    }
    if (const Value* value = std::get_if<Value>(&tuple.value)) {
      return *value;
    }
  }
  return std::nullopt;
}

// Bytes of one element of an array of `type`, or 0 if there is no such type.
std::size_t element_size(std::uint32_t type) {
  switch (type) {
    case SND_SOC_TPLG_TUPLE_TYPE_UUID:
      return asoc::kRecordSize<snd_soc_tplg_vendor_uuid_elem>;
    case SND_SOC_TPLG_TUPLE_TYPE_STRING:
      return asoc::kRecordSize<snd_soc_tplg_vendor_string_elem>;
    case SND_SOC_TPLG_TUPLE_TYPE_BOOL:
    case SND_SOC_TPLG_TUPLE_TYPE_BYTE:
    case SND_SOC_TPLG_TUPLE_TYPE_WORD:
    case SND_SOC_TPLG_TUPLE_TYPE_SHORT:
      return asoc::kRecordSize<snd_soc_tplg_vendor_value_elem>;
    default:
      return 0;
  }
}

Tuple parse_tuple(ByteReader& reader, TupleType type, std::uint32_t array) {
  const std::size_t start = reader.offset();
  Tuple tuple{.token = 0, .type = type, .array = array, .value = {}};
  switch (type) {
    case TupleType::uuid: {
      const auto element = reader.take_record<snd_soc_tplg_vendor_uuid_elem>("a UUID tuple");
      tuple.token = element.token;
      tuple.value = uuid_from_file(std::as_bytes(std::span(element.uuid)));
      break;
    }
    case TupleType::string: {
      const auto element = reader.take_record<snd_soc_tplg_vendor_string_elem>("a string tuple");
      tuple.token = element.token;
      tuple.value =
          reader.text(element.string, start,
                      "the value of token " + std::to_string(std::uint32_t{element.token}));
      break;
    }
    default: {
      const auto element = reader.take_record<snd_soc_tplg_vendor_value_elem>("a number tuple");
      tuple.token = element.token;
      tuple.value = std::uint32_t{element.value};
      break;
    }
  }
  return tuple;
}

}  // namespace

std::optional<std::uint32_t> Tuples::number(std::uint32_t token) const {
  return first<std::uint32_t>(*this, token);
}

std::optional<std::string> Tuples::string(std::uint32_t token) const {
  return first<std::string>(*this, token);
}

std::optional<Uuid> Tuples::uuid(std::uint32_t token) const { return first<Uuid>(*this, token); }

std::vector<std::string> Tuples::strings(std::uint32_t token) const {
  std::vector<std::string> values;
  for (const Tuple& tuple : list) {
    if (tuple.token != token) {
      continue;
    }
    if (const auto* value = std::get_if<std::string>(&tuple.value)) {
      values.push_back(*value);
    }
  }
  return values;
}

Tuples parse_tuples(ByteReader reader) {
  Tuples tuples;
  for (std::uint32_t array = 0; !reader.at_end(); ++array) {
    const std::size_t start = reader.offset();
    const auto header = reader.take_record<snd_soc_tplg_vendor_array>("a vendor tuple array");
    const std::uint32_t type = header.type;
    const std::uint64_t element = element_size(type);
    if (element == 0) {
      reader.fail_at(start, "vendor tuples of unknown type " + std::to_string(type));
    }
    const std::uint64_t expected = sizeof(header) + header.num_elems * element;
    if (header.size != expected) {
      reader.fail_at(start, "a vendor tuple array of " + std::to_string(header.num_elems) +
                                " elements declares a size of " + std::to_string(header.size) +
                                " bytes, expected " + std::to_string(expected));
    }
    ByteReader elements = reader.take_reader(static_cast<std::size_t>(expected - sizeof(header)),
                                             "a vendor tuple array");
    while (!elements.at_end()) {
      tuples.list.push_back(parse_tuple(elements, static_cast<TupleType>(type), array));
    }
  }
  return tuples;
}

}  // namespace modmem::testbench
