#include "l2/cluster/parcel.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace vcache::l2::cluster {

namespace {

// Bytes that are made before the first of them are sent.
constexpr std::size_t kPart = std::size_t{128} << 10;

}  // namespace

template <class Append>
void Parcel::add_section(Item& item, client::Request& request, Append append) {
  const std::size_t begin = request.commands();
  request.ask_first(item.asking);
  append(item.batch);
  request.ask_first(false);
  sections_.push_back({.item = item, .begin = begin, .end = request.commands()});
}

void Parcel::append(client::Request& request) {
  sections_.clear();
  next_ = current_ = 0;
  (void)append_more(request);
}

bool Parcel::append_more(client::Request& request) {
  const std::size_t before = request.commands();
  for (; next_ < items_.size() && request.size() < kPart; ++next_) {
    Item& item = items_[next_];
    if (item.answered || item.redirect) continue;
    add_section(item, request, [&](command::Batch& batch) {
      batch.append(request);
      while (batch.append_more(request)) {
      }
    });
  }
  return request.commands() != before;
}

bool Parcel::append_next(client::Request& request) {
  const std::vector<Section> last = std::exchange(sections_, {});
  current_ = 0;
  for (const Section& section : last) {
    Item& item = section.item;
    if (item.redirect) continue;
    bool more = false;
    add_section(item, request, [&](command::Batch& batch) { more = batch.append_next(request); });
    if (more) continue;
    item.answered = true;
    sections_.pop_back();
  }
  return !sections_.empty();
}

bool Parcel::repeatable() const noexcept {
  return std::ranges::all_of(
      items_, [](const Item& item) { return item.answered || item.batch.repeatable(); });
}

bool Parcel::skip_oversized() noexcept {
  return current_ < sections_.size() && sections_[current_].item.get().batch.skip_oversized();
}

void Parcel::on_part(const client::ReplyPart& part) noexcept {
  while (current_ < sections_.size() && part.reply >= sections_[current_].end) ++current_;
  if (current_ == sections_.size()) return note_nonsense();
  const Section& section = sections_[current_];
  Item& item = section.item;
  client::ReplyPart own = part;
  own.reply -= section.begin;
  if (item.asking) {
    if (own.reply % 2 == 0) return;  // that of ASKING
    own.reply /= 2;
  }
  if (item.redirect) return;
  if (sent_elsewhere(item, part)) {
    // A connection that may go on watching, or gathering a transaction, is of no use to others.
    const bool one_command = section.end - section.begin <= (item.asking ? 2 : 1);
    if (!one_command && !item.batch.repeatable()) drop_connection();
    return;
  }
  item.batch.on_part(own);
  absorb(item.batch);
}

bool Parcel::sent_elsewhere(Item& item, const client::ReplyPart& part) noexcept {
  if (part.type != client::ReplyType::kError || part.depth != 0) return false;
  troubled_ =
      troubled_ || part.text.starts_with("CLUSTERDOWN") || part.text.starts_with("READONLY");
  try {
    item.redirect = parse_redirect(part.text);
  } catch (const std::exception&) {
    count(ErrorKind::kMemory);
  }
  return item.redirect.has_value();
}

void Parcel::finish(const base::Error& error) {
  for (Item& item : items_) {
    if (!item.answered && !item.redirect) item.error = error;
  }
}

}  // namespace vcache::l2::cluster
