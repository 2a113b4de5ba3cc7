#include "capi/module_accounts.hpp"

#include <new>

#include "base/check.hpp"
#include "capi/request.hpp"

namespace modmem {

namespace {

constexpr Flags kBookkeeping = flag::kKernel | flag::kCoherent | flag::kSilent | flag::kKept;

// Whether `owner` is `above`, or below it.
bool is_below(const Owner* owner, const Owner& above) {
  while (owner != nullptr && owner != &above) {
    owner = owner->parent;
  }
  return owner != nullptr;
}

}  // namespace

ModuleAccounts::Use::~Use() {
  if (account_ != nullptr) {
    accounts_->unuse(account_);
  }
}

// --- the list: the lock is held ---

ModuleAccounts::Account** ModuleAccounts::link_of(const module_resources& module) {
  Account** link = &first_;
  while (*link != nullptr && (*link)->module != &module) {
    link = &(*link)->next;
  }
  return link;
}

// The same of the account for handlers that are no module's.
ModuleAccounts::Account** ModuleAccounts::link_of_common(const Owner& parent) {
  Account** link = &first_;
  while (*link != nullptr &&
         ((*link)->module != nullptr || (*link)->memory.owner()->parent != &parent)) {
    link = &(*link)->next;
  }
  return link;
}

// Takes the account at `link` off the list; its entry is the caller's now.
ModuleAccounts::Account* ModuleAccounts::unlink(Account** link) {
  Account* account = *link;
  if (account != nullptr) {
    *link = account->next;
  }
  return account;
}

// --- finding and opening ---

ModuleAccounts::Use ModuleAccounts::find(const module_resources& module) {
  const LockGuard guard(port());
  Account* account = *link_of(module);
  if (account == nullptr || account != module.account) {
    return {};
  }
  ++account->users;
  return {this, account};
}

// The account of the caller's that holds a blob handler at that address; empty where none does.
ModuleAccounts::Use ModuleAccounts::find_holder(const void* handler) {
  const Owner& whose = caller(memory_);
  const LockGuard guard(port());
  Account* account = first_;
  while (account != nullptr &&
         (!is_below(account->memory.owner(), whose) ||
          !account->memory.holds_locked(ResourceKind::blob_handler, handler))) {
    account = account->next;
  }
  if (account == nullptr) {
    return {};
  }
  ++account->users;
  return {this, account};
}

ModuleAccounts::Use ModuleAccounts::find_or_open(module_resources& module, std::uint32_t id,
                                                 Site site) {
  Use known = find(module);
  if (known) {
    return known;
  }
  drop_stale(module);
  Account* made = open_for(module, id, site);
  return made != nullptr ? list(made, &module) : Use();
}

ModuleAccounts::Use ModuleAccounts::find_or_open_common(Site site) {
  Owner& parent = caller(memory_);
  {
    const LockGuard guard(port());
    if (Account* known = *link_of_common(parent)) {
      ++known->users;
      return {this, known};
    }
  }
  Account* made = open(nullptr, parent, {OwnerKind::buffer, 0, "blobs"}, site);
  return made != nullptr ? list(made, nullptr) : Use();
}

// A use of an account that was made for `module`, which is listed now, or of the one that another
// thread had listed before.
ModuleAccounts::Use ModuleAccounts::list(Account* made, module_resources* module) {
  Account* account = nullptr;
  {
    const LockGuard guard(port());
    account =
        module != nullptr ? *link_of(*module) : *link_of_common(*made->memory.owner()->parent);
    if (account == nullptr) {
      account = made;
      made->next = first_;
      first_ = made;
      if (module != nullptr) {
        module->account = made;
        made->users = 1;
      }
    }
    ++account->users;
  }
  if (account != made) {
    finish(made);
  }
  return {this, account};
}

// An account of a module that is not listed yet. Why there is none is said in one line, by Memory
// or here.
ModuleAccounts::Account* ModuleAccounts::open_for(const module_resources& module, std::uint32_t id,
                                                  Site site) {
  const OwnerSpec spec{OwnerKind::module, id, "module"};
  Owner* region = owner_of(module.vreg);
  Owner* heap = module.heap != nullptr ? owner_of(module.heap) : &caller(memory_);
  Owner* parent = region != nullptr ? region : heap;
  if (!memory_.is_owner(parent) || !is_callers(memory_, *parent)) {
    Line line;
    (line << "the heap of " << spec.name << " ").hex(spec.id)
        << " has ended, or is not the caller's, from " << site;
    log_line(LogLevel::error, line);
    return nullptr;
  }
  Account* account = open(&module, *parent, spec, site);
  if (account != nullptr && region != nullptr) {
    account->region = region;
    memory_.get_region(*region, true);
  }
  return account;
}

ModuleAccounts::Account* ModuleAccounts::open(const module_resources* module, Owner& parent,
                                              const OwnerSpec& spec, Site site) {
  void* place = memory_.allocate({nullptr, sizeof(Account), alignof(Account), kBookkeeping, site});
  if (place == nullptr) {
    Line line;
    line << "no memory: " << std::uint64_t{sizeof(Account)} << " bytes for the account of "
         << spec.name << " ";
    line.hex(spec.id) << ", from " << site;
    log_line(LogLevel::error, line);
    return nullptr;
  }
  auto* account = new (place) Account();
  account->module = module;
  if (!account->memory.open(memory_, parent, spec)) {
    memory_.free(place, &memory_.system());
    return nullptr;
  }
  return account;
}

// --- ending ---

// One user less. The last one ends the account; returns how many leaks that reported.
std::size_t ModuleAccounts::unuse(Account* account) {
  {
    const LockGuard guard(port());
    if (--account->users != 0) {
      return 0;
    }
    // A module's is off the list by now; the last handler ends the one for those.
    Account** link = &first_;
    while (*link != nullptr && *link != account) {
      link = &(*link)->next;
    }
    unlink(link);
  }
  return finish(account);
}

// Ends an account that is not on the list and that nobody uses any more. Returns how many leaks
// that reported.
std::size_t ModuleAccounts::finish(Account* account) {
  const std::size_t leaks = account->memory.close();
  Owner* region = account->region;
  account->~Account();
  memory_.free(account, &memory_.system());
  if (region != nullptr) {
    memory_.put_region(*region, true);
  }
  return leaks;
}

// Ends an account of a module that was at this address before.
void ModuleAccounts::drop_stale(const module_resources& module) {
  Account* stale = nullptr;
  {
    const LockGuard guard(port());
    Account** link = link_of(module);
    if (*link != module.account) {
      stale = unlink(link);
    }
  }
  if (stale != nullptr) {
    unuse(stale);
  }
}

std::size_t ModuleAccounts::forget(const module_resources& module) {
  Account* account = nullptr;
  {
    const LockGuard guard(port());
    account = unlink(link_of(module));
  }
  return account != nullptr ? unuse(account) : 0;
}

void ModuleAccounts::end(module_resources& module) {
  Account* account = nullptr;
  {
    const LockGuard guard(port());
    Account** link = link_of(module);
    if (*link == nullptr || *link != module.account) {
      return;
    }
    account = unlink(link);
    module.account = nullptr;
  }
  const std::size_t most = account->memory.high_water_mark();
  account->memory.release_all();
  unuse(account);
  const LockGuard guard(port());
  module.high_water_mark = most > module.high_water_mark ? most : module.high_water_mark;
}

bool ModuleAccounts::end_handler(const void* handler) {
  const Use holder = find_holder(handler);
  const bool ended = holder && holder->end_resource(ResourceKind::blob_handler, handler);
  if (ended && holder.account_->module == nullptr) {
    unuse(holder.account_);  // the handler's
  }
  return ended;
}

// An account at any depth below `heap`, off the list; nullptr where none is left.
ModuleAccounts::Account* ModuleAccounts::take_below(const Owner& heap) {
  const LockGuard guard(port());
  Account** link = &first_;
  while (*link != nullptr && !is_below((*link)->memory.owner(), heap)) {
    link = &(*link)->next;
  }
  return unlink(link);
}

// Any account, off the list; nullptr where none is left.
ModuleAccounts::Account* ModuleAccounts::take_first() {
  const LockGuard guard(port());
  return unlink(&first_);
}

std::size_t ModuleAccounts::close_below(const Owner& heap) {
  std::size_t leaks = 0;
  while (Account* account = take_below(heap)) {
    leaks += finish(account);
  }
  return leaks;
}

void ModuleAccounts::abandon_below(const Owner& domain) {
  while (Account* account = take_below(domain)) {
    account->memory.abandon();
    finish(account);
  }
}

std::size_t ModuleAccounts::close() {
  std::size_t leaks = 0;
  while (Account* account = take_first()) {
    leaks += finish(account);
  }
  return leaks;
}

}  // namespace modmem
