#include "l2/tracking/invalidations.hpp"

#include <exception>

namespace vcache::l2::tracking {

namespace {

// True, and the prefix is gone, when `name` begins with it.
bool cut(std::string_view& name, std::string_view prefix) noexcept {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  return true;
}

}  // namespace

void Changes::clear() noexcept {
  keys.clear();
  tags.clear();
  leases.clear();
  generation = all = false;
}

void Invalidations::on_push_part(const client::ReplyPart& part) noexcept {
  if (part.depth == 0) {
    kind_ = Kind::kUnknown;
    whole_ = false;
    text_.clear();
    ends_.clear();
    changes_.clear();
  } else if (part.depth == 1 && part.index == 0) {
    kind_ = part.text == "invalidate" ? Kind::kInvalidate : Kind::kOther;
  } else if (kind_ == Kind::kInvalidate) {
    part.depth == 1 ? on_body(part) : on_name(part);
  }
}

void Invalidations::on_body(const client::ReplyPart& part) noexcept {
  whole_ = part.index == 1 &&
           (part.type == client::ReplyType::kNil || part.type == client::ReplyType::kArray);
  if (!whole_) lost_ = true;
  changes_.all = part.type == client::ReplyType::kNil;
}

void Invalidations::on_name(const client::ReplyPart& part) noexcept {
  if (part.depth != 2 || part.type != client::ReplyType::kString) {
    lost_ = true;
    return;
  }
  try {
    text_ += part.text;
    ends_.push_back(text_.size());
  } catch (const std::exception&) {
    lost_ = true;
  }
}

void Invalidations::on_push_end() noexcept {
  if (kind_ != Kind::kInvalidate) return;
  if (!whole_) lost_ = true;
  try {
    std::size_t begin = 0;
    for (const std::size_t end : ends_) {
      sort(std::string_view(text_).substr(begin, end - begin));
      begin = end;
    }
  } catch (const std::exception&) {
    lost_ = true;
  }
  sink_.on_changes(changes_);
}

void Invalidations::sort(std::string_view name) {
  if (cut(name, context_.key_prefix)) {
    changes_.keys.push_back(name);
  } else if (name == context_.generation_key) {
    changes_.generation = true;
  } else if (cut(name, context_.tag_prefix)) {
    changes_.tags.push_back(name);
  } else if (cut(name, context_.lease_prefix)) {
    changes_.leases.push_back(name);
  }
}

}  // namespace vcache::l2::tracking
