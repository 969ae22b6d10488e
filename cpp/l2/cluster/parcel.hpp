#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "l2/cluster/item.hpp"
#include "l2/command/batch.hpp"

namespace vcache::l2::cluster {

// Several items' commands as one batch for one node. Each item's batch reads its own replies; one
// whose command is sent elsewhere reads none.
class Parcel final : public command::Batch {
 public:
  using Batch::Batch;

  // `item` must outlive it.
  void add(Item& item) { items_.emplace_back(item); }

  void append(client::Request& request) override;
  [[nodiscard]] bool append_more(client::Request& request) override;
  [[nodiscard]] bool append_next(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override;
  [[nodiscard]] bool skip_oversized() noexcept override;
  void on_part(const client::ReplyPart& part) noexcept override;

  // The exchange ended so: tells the items that have no answer.
  void finish(const base::Error& error);
  // True when a reply said that a look at the cluster is due.
  [[nodiscard]] bool troubled() const noexcept { return troubled_; }

 private:
  // An item's replies in the exchange under way: from `begin` to before `end`.
  struct Section {
    std::reference_wrapper<Item> item;
    std::size_t begin;
    std::size_t end;
  };

  template <class Append>
  void add_section(Item& item, client::Request& request, Append append);
  [[nodiscard]] bool sent_elsewhere(Item& item, const client::ReplyPart& part) noexcept;

  std::vector<std::reference_wrapper<Item>> items_;
  std::vector<Section> sections_;
  std::size_t next_ = 0;     // the item to be appended next
  std::size_t current_ = 0;  // the section whose replies come
  bool troubled_ = false;
};

}  // namespace vcache::l2::cluster
