#include "l2/client/reply_reader.hpp"

#include <hiredis/sds.h>

#include <algorithm>
#include <charconv>
#include <new>

namespace vcache::l2::client {

namespace {

constexpr std::size_t kChunk = std::size_t{128} << 10;  // least room for a receive of one reply
constexpr std::size_t kChunkOfMany = std::size_t{16} << 10;
constexpr std::size_t kKept = std::size_t{1} << 20;      // most memory an idle reader keeps
constexpr std::size_t kMaxLine = std::size_t{64} << 10;  // of a status, error or number
constexpr std::size_t kMaxLengthLine = 24;               // of the length before a string

// Stand-ins for reply objects, which are never built.
char node_marker;       // NOLINT(*-avoid-non-const-global-variables): only its address is used
char push_marker;       // NOLINT(*-avoid-non-const-global-variables)
char attribute_marker;  // NOLINT(*-avoid-non-const-global-variables)

// Completes `part` with its place and hands it over.
void* deliver(const redisReadTask* task, ReplyPart part) noexcept {
  const redisReadTask* root = task;
  for (; root->parent != nullptr; root = root->parent) ++part.depth;
  if (root->type == REDIS_REPLY_ATTR) return &attribute_marker;
  const Delivery& delivery = *static_cast<const Delivery*>(task->privdata);
  part.reply = delivery.replies;
  part.index = task->idx < 0 ? 0 : static_cast<std::size_t>(task->idx);
  if (root->type == REDIS_REPLY_PUSH) {
    if (delivery.pushes != nullptr) delivery.pushes->on_push_part(part);
    return &push_marker;
  }
  delivery.sink->on_part(part);
  return &node_marker;
}

ReplyType text_type(int type) noexcept {
  if (type == REDIS_REPLY_ERROR) return ReplyType::kError;
  return type == REDIS_REPLY_STATUS ? ReplyType::kStatus : ReplyType::kString;
}

void* on_string(const redisReadTask* task, char* text, std::size_t size) {
  auto& delivery = *static_cast<Delivery*>(task->privdata);
  if (size > delivery.string_bytes) {
    delivery.oversized = true;
    return nullptr;
  }
  return deliver(task, {.type = text_type(task->type), .text = {text, size}});
}

void* on_array(const redisReadTask* task, std::size_t elements) {
  return deliver(task, {.type = ReplyType::kArray, .integer = static_cast<std::int64_t>(elements)});
}

void* on_integer(const redisReadTask* task, long long value) {
  return deliver(task, {.type = ReplyType::kInteger, .integer = value});
}

void* on_double(const redisReadTask* task, double /*value*/, char* text, std::size_t size) {
  return deliver(task, {.type = ReplyType::kString, .text = {text, size}});
}

void* on_nil(const redisReadTask* task) { return deliver(task, {.type = ReplyType::kNil}); }

void* on_bool(const redisReadTask* task, int value) { return on_integer(task, value); }

redisReplyObjectFunctions functions = {
    // NOLINT(*-avoid-non-const-global-variables): C interface
    .createString = on_string,  .createArray = on_array, .createInteger = on_integer,
    .createDouble = on_double,  .createNil = on_nil,     .createBool = on_bool,
    .freeObject = [](void*) {},
};

base::Error protocol_error(std::string_view detail) {
  return {base::ErrorCode::kProtocol, std::string(detail)};
}

}  // namespace

ReplyReader::ReplyReader(const ReplyLimits& limits)
    : reader_(redisReaderCreateWithFunctions(&functions)) {
  if (reader_ == nullptr) throw std::bad_alloc();
  reader_->maxelements = limits.elements;
  reader_->maxdepth = limits.depth;
  reader_->privdata = &delivery_;
  delivery_.string_bytes = limits.string_bytes;
}

std::span<char> ReplyReader::room(std::size_t replies) noexcept {
  if (reader_->err != 0) return {};
  const std::size_t size = std::max(replies > 1 ? kChunkOfMany : kChunk, wanted_);
  sds const buffer = sdsMakeRoomFor(reader_->buf, size);
  if (buffer == nullptr) return {};
  reader_->buf = buffer;
  return {buffer + sdslen(buffer), size};
}

void ReplyReader::commit(std::size_t size) noexcept {
  sdsIncrLen(reader_->buf, static_cast<int>(size));
  reader_->len = sdslen(reader_->buf);
}

base::Error ReplyReader::parse(ReplySink& sink, std::size_t limit) noexcept {
  try {
    delivery_.sink = &sink;
    bool complete = true;
    while (complete && reader_->pos < reader_->len && (delivery_.replies < limit || at_push())) {
      if (base::Error error = parse_one(complete); !error.ok()) return error;
    }
    release_consumed();
    return check_pending();
  } catch (const std::bad_alloc&) {
    return {base::ErrorCode::kProtocol};
  }
}

base::Error ReplyReader::parse_one(bool& complete) {
  void* reply = nullptr;
  if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
    return protocol_error(oversized() ? "a string is over the limit" : reader_->errstr);
  }
  complete = reply != nullptr;
  if (reply == &node_marker) ++delivery_.replies;
  if (reply == &push_marker && delivery_.pushes != nullptr) delivery_.pushes->on_push_end();
  return {};
}

bool ReplyReader::at_push() const noexcept {
  const bool begun = reader_->ridx > 0 || (reader_->ridx == 0 && reader_->task[0]->type >= 0);
  if (begun) return reader_->task[0]->type == REDIS_REPLY_PUSH;
  return reader_->pos < reader_->len && reader_->buf[reader_->pos] == '>';
}

bool ReplyReader::empty() const noexcept {
  return reader_->err == 0 && reader_->pos == reader_->len && reader_->ridx < 0;
}

// Bounds what the unfinished node may grow to, and learns how much of it is to come.
base::Error ReplyReader::check_pending() {
  wanted_ = 0;
  if (reader_->ridx < 0) return {};
  const redisReadTask& task = *reader_->task[reader_->ridx];
  const std::string_view rest(reader_->buf + reader_->pos, reader_->len - reader_->pos);
  if (task.type == REDIS_REPLY_STRING || task.type == REDIS_REPLY_VERB) {
    return check_pending_string(rest);
  }
  if (rest.size() > kMaxLine) return protocol_error("a line is over the limit");
  return {};
}

base::Error ReplyReader::check_pending_string(std::string_view rest) {
  const std::size_t line = rest.substr(0, kMaxLengthLine).find('\r');
  if (line == std::string_view::npos) {
    if (rest.size() >= kMaxLengthLine) return protocol_error("a length is over the limit");
    return {};
  }
  std::size_t length = 0;
  const char* const begin = rest.data();
  if (std::from_chars(begin, begin + line, length).ec != std::errc()) return {};
  if (length > delivery_.string_bytes) {
    delivery_.oversized = true;
    return protocol_error("a string is over the limit");
  }
  const std::size_t whole = line + 2 + length + 2;
  wanted_ = whole > rest.size() ? whole - rest.size() : 0;
  return {};
}

void ReplyReader::release_consumed() noexcept {
  if (!empty() || reader_->len == 0) return;
  if (sdsalloc(reader_->buf) > kKept) {
    if (sds const fresh = sdsempty(); fresh != nullptr) {
      sdsfree(reader_->buf);
      reader_->buf = fresh;
    }
  }
  sdsclear(reader_->buf);
  reader_->pos = reader_->len = 0;
}

}  // namespace vcache::l2::client
