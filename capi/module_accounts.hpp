// ModuleAccounts: which account belongs to which struct module_resources.
//
// A module of a C framework is a struct of the framework's, which may hold garbage before
// mod_resource_init() and may die without mod_free_all(). So what is true is a list here, of
// accounts with the address of the struct that each was opened for; the struct's own pointer is
// compared, never followed. An account whose struct says otherwise is of a module that is gone: it
// ends, with what it holds reported as leaks, when the next module at that address takes something.
//
// An account is in use by its module, until that ends it, and by every call that works with it; the
// last of them ends it. So a module's other threads may be in calls while it is ended. In the
// account for handlers that are no module's, every handler is a use. There is one such account of
// the system, and one of each domain that has such handlers, right below the domain.
//
// Invariants: no two accounts on the list have the same struct, or, where they have none, the same
// owner above; users > 0 of one on the list.
// Cost: O(accounts) to find one. The list is guarded by the port's lock, which is Memory's and not
// recursive: it is never held across a call of Memory.
#pragma once

#include <modmem/module_resources.h>

#include <cstddef>
#include <cstdint>

#include "module/module_memory.hpp"

namespace modmem {

class ModuleAccounts {
 private:
  struct Account;

 public:
  // An account in use; empty where there is none. Must go before the ModuleAccounts does.
  class Use {
   public:
    Use() = default;
    Use(ModuleAccounts* accounts, Account* account) : accounts_(accounts), account_(account) {}
    ~Use();
    Use(Use&& other) noexcept : accounts_(other.accounts_), account_(other.account_) {
      other.account_ = nullptr;
    }
    Use& operator=(Use&&) = delete;

    explicit operator bool() const { return account_ != nullptr; }
    ModuleMemory& operator*() const { return account_->memory; }
    ModuleMemory* operator->() const { return &account_->memory; }

   private:
    friend class ModuleAccounts;
    ModuleAccounts* accounts_ = nullptr;
    Account* account_ = nullptr;
  };

  explicit ModuleAccounts(Memory& memory) : memory_(memory) {}
  ModuleAccounts(const ModuleAccounts&) = delete;
  ModuleAccounts& operator=(const ModuleAccounts&) = delete;

  // The account of the module whose struct that is; empty where it has none.
  Use find(const module_resources& module);

  // The same, after opening one with that id where there is none, below the region or heap that the
  // struct names. Empty exactly when that has ended, or memory or owners ran out, of which a line
  // tells.
  Use find_or_open(module_resources& module, std::uint32_t id, Site site);

  // Ends the account that was opened for a struct at this address, whatever the struct contains;
  // what it holds is reported as leaks. Returns how many.
  std::size_t forget(const module_resources& module);

  // Ends the module's account and all that it holds, which is no leak, and notes the most that it
  // held in the struct. Does nothing where it has none.
  void end(module_resources& module);

  // The caller's account for handlers that are no module's. Empty as find_or_open(). It lives as
  // long as a use of it, and as every handler in it that was made known by keep().
  Use find_or_open_common(Site site);
  // Has the common account live until end_handler() ends what was made with `common`.
  static void keep(Use common) { common.account_ = nullptr; }

  // Ends the blob handler that any account of the caller's holds at that address: in a domain those
  // below it, else all. Returns false, with nothing changed, where none does.
  bool end_handler(const void* handler);

  // Ends all accounts below `heap`, which is about to end. Returns how many leaks they reported. No
  // call of theirs may run.
  std::size_t close_below(const Owner& heap);
  // The same for a domain whose module was stopped, maybe within a call of the library, which then
  // never ends: what they hold is no leak, and nothing of the module's is called.
  void abandon_below(const Owner& domain);

  // Ends all accounts, before Memory ends. Returns how many leaks they reported. No call may run.
  std::size_t close();

 private:
  // In kernel memory of the system.
  struct Account {
    ModuleMemory memory;
    const module_resources* module = nullptr;  // nullptr: for handlers that are no module's
    Owner* region = nullptr;                   // that it holds a reference to
    Account* next = nullptr;
    std::size_t users = 0;
  };

  Port& port() const { return memory_.space().port(); }
  Account** link_of(const module_resources& module);
  Account** link_of_common(const Owner& parent);
  static Account* unlink(Account** link);
  Use find_holder(const void* handler);
  Account* take_below(const Owner& heap);
  Account* take_first();
  Account* open(const module_resources* module, Owner& parent, const OwnerSpec& spec, Site site);
  Account* open_for(const module_resources& module, std::uint32_t id, Site site);
  void drop_stale(const module_resources& module);
  Use list(Account* made, module_resources* module);
  std::size_t unuse(Account* account);
  std::size_t finish(Account* account);

  Memory& memory_;
  Account* first_ = nullptr;  // under the lock, as all of the accounts but their memory
};

}  // namespace modmem
