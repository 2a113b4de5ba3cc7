#include "stress/shared_state.hpp"

#include <stdexcept>

#include "stress/finding.hpp"

namespace modmem::stress {

void Counters::add(const Counters& other) {
  operations += other.operations;
  refused += other.refused;
  remote_frees += other.remote_frees;
  owners_ended += other.owners_ended;
  ended_with_queue += other.ended_with_queue;
  regions_ended += other.regions_ended;
  copies += other.copies;
  objects += other.objects;
  misuses += other.misuses;
}

SharedState::SharedState(const PlatformConfig& platform, const Policy& policy,
                         std::uint32_t threads, std::uint64_t seed, Planted planted)
    : planted_(planted),
      seed_(seed),
      port_(platform),
      memory_(std::make_unique<Memory>()),
      copies_(*memory_) {
  static_assert(alignof(std::uint64_t) >= MetadataArena::kAlignment ||
                __STDCPP_DEFAULT_NEW_ALIGNMENT__ >= MetadataArena::kAlignment);
  const std::size_t bytes = Memory::arena_bytes(platform, port_);
  arena_.resize(divide_up(bytes, sizeof(std::uint64_t)));
  if (!memory_->boot(platform, policy, port_, &observer_,
                     {reinterpret_cast<std::byte*>(arena_.data()), bytes})) {
    throw std::runtime_error(std::string("policy ") + policy.name + " does not boot on " +
                             platform.name);
  }
  Owner* pipeline = memory_->create_owner(
      memory_->system(), {.kind = OwnerKind::pipeline, .id = next_id(), .name = "common"});
  common_.owner = pipeline != nullptr
                      ? memory_->create_owner(*pipeline, {.id = next_id(), .name = "common"})
                      : nullptr;
  if (common_.owner == nullptr) {
    throw std::runtime_error("no owner");
  }
  for (std::uint32_t thread = 0; thread < threads; ++thread) {
    mailboxes_.push_back(std::make_unique<Mailbox>());
  }
  for (std::uint32_t number = 0; number < kSources; ++number) {
    sources_.emplace_back(100 + 700 * number, static_cast<unsigned char>(number + 1));
  }
  const ObjectSource source{
      .allocate =
          [](void* state, std::size_t size, std::size_t alignment) {
            auto& self = *static_cast<SharedState*>(state);
            return self.memory_->allocate(
                {self.common_.owner, size, alignment, flag::kSilent, MODMEM_HERE});
          },
      .free =
          [](void* state, void* pointer) {
            expect(static_cast<SharedState*>(state)->memory_->free(pointer) == PointerStatus::live,
                   "a chunk of objects is no live block");
          },
      .context = this};
  if (!objects_.open(source, kObjectBytes)) {
    throw std::runtime_error("no pool of objects");
  }
}

SharedState::~SharedState() { port_.close(); }

void* SharedState::take_object() {
  const std::lock_guard guard(objects_mutex_);
  return objects_.allocate();
}

void SharedState::give_object(void* object) {
  const std::lock_guard guard(objects_mutex_);
  expect(objects_.free(object) == PointerStatus::live, "an object is not live");
  if (objects_.live() == 0) {
    objects_.prune();
  }
  expect(objects_.check(CheckDepth::deep), "an invariant of the pool of objects is broken");
}

void SharedState::check_and_compact() {
  expect(memory_->check(CheckDepth::deep), "an invariant is broken");
  expect(copies_.check(), "an invariant of the shared copies is broken");
  while (memory_->compact(64).more) {
  }
  memory_->trim();
  expect(memory_->check(CheckDepth::deep), "compaction broke an invariant");
}

void SharedState::finish() {
  objects_.close();
  expect(copies_.close() == 0, "a shared copy is left");
  expect(common_.owner->own == 0, "a block of the common owner is left");
  const std::uint64_t leaks = observer_.leaks;
  expect(memory_->shutdown() == 0 && observer_.leaks == leaks, "a block is left");
  expect(memory_->pool().taken() == 0, "a frame is left");
}

}  // namespace modmem::stress
