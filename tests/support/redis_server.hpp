#pragma once

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/poll_until.hpp"
#include "support/ports.hpp"

namespace vcache::testing {

// A real redis-server on a free port and a Unix socket, with a folder of its own. Dies with this
// object, and with the test.
class RedisServer {
 public:
  // `sentinel`: the file of one, which the server is then.
  explicit RedisServer(std::vector<std::string> arguments = {}, int port = free_port(),
                       std::string sentinel = {})
      : arguments_(std::move(arguments)),
        folder_(make_folder()),
        port_(port),
        sentinel_(std::move(sentinel)) {
    start();
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;
  ~RedisServer() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  [[nodiscard]] int port() const noexcept { return port_; }
  [[nodiscard]] std::string socket() const { return (folder_ / "redis.sock").string(); }
  // True when this replica has taken all changes that `primary` has had. (WAIT knows only those of
  // the connection that sends it.)
  [[nodiscard]] bool has_all_of(const RedisServer& primary) const {
    const std::string there = primary.replication("master_repl_offset:");
    return !there.empty() && there == replication("slave_repl_offset:");
  }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  // Starts it on the same port, and waits until it answers.
  void start() {
    spawn();
    const auto answers = [this] { return !call({"PING"}).starts_with("NO"); };
    if (!poll_until(answers)) {
      throw std::runtime_error("redis-server did not start");
    }
  }
  // SIGKILL; returns when the process is gone.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  void freeze() const { ::kill(pid_, SIGSTOP); }
  void thaw() const { ::kill(pid_, SIGCONT); }

  // One command on a connection of its own. Strings as they are; "(nil)"; integers as digits;
  // errors with a leading "-"; arrays joined by spaces.
  std::string call(const std::vector<std::string>& command) const {
    const timeval limit{.tv_sec = 5, .tv_usec = 0};
    const std::unique_ptr<redisContext, void (*)(redisContext*)> context(
        redisConnectWithTimeout("127.0.0.1", port_, limit), redisFree);
    if (context == nullptr || context->err != 0) return "NOCONNECT";
    redisSetTimeout(context.get(), limit);
    if (!password_.empty()) send(context.get(), {"AUTH", password_});
    return send(context.get(), command);
  }
  // The password that call() logs in with.
  void use_password(std::string password) { password_ = std::move(password); }

  static std::filesystem::path make_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "vcache-redis-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for redis-server");
    return name;
  }

 private:
  // A field of INFO replication, whose name ends with a colon.
  [[nodiscard]] std::string replication(std::string_view name) const {
    const std::string info = call({"INFO", "replication"});
    const std::size_t begin = info.find(name);
    if (begin == std::string::npos) return {};
    return info.substr(begin, info.find('\r', begin) - begin).substr(name.size());
  }

  static std::string send(redisContext* context, const std::vector<std::string>& command) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const std::string& word : command) {
      texts.push_back(word.data());
      sizes.push_back(word.size());
    }
    const std::unique_ptr<redisReply, void (*)(void*)> reply(
        static_cast<redisReply*>(redisCommandArgv(context, static_cast<int>(command.size()),
                                                  texts.data(), sizes.data())),
        freeReplyObject);
    return reply == nullptr ? std::string("NOREPLY ") + context->errstr : render(*reply);
  }

  static std::string render(const redisReply& reply) {
    switch (reply.type) {
      case REDIS_REPLY_NIL:
        return "(nil)";
      case REDIS_REPLY_INTEGER:
        return std::to_string(reply.integer);
      case REDIS_REPLY_ERROR:
        return "-" + std::string(reply.str, reply.len);
      case REDIS_REPLY_ARRAY: {
        std::string out;
        for (std::size_t i = 0; i < reply.elements; ++i) out += render(*reply.element[i]) + " ";
        return out;
      }
      default:
        return {reply.str, reply.len};
    }
  }

  void spawn() {
    std::vector<std::string> words = {"redis-server"};
    if (!sentinel_.empty()) words.push_back(sentinel_);
    words.insert(words.end(), {"--port", std::to_string(port_), "--bind", "127.0.0.1", "--dir",
                               folder_.string(), "--logfile", "redis.log"});
    if (sentinel_.empty()) {
      words.insert(words.end(), {"--unixsocket", socket(), "--enable-debug-command", "yes"});
      words.insert(words.end(), {"--save", ""});
    } else {
      words.emplace_back("--sentinel");
    }
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() == parent) ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
  }

  const std::vector<std::string> arguments_;
  const std::filesystem::path folder_;
  const int port_;
  const std::string sentinel_;
  pid_t pid_ = -1;
  std::string password_;
};

}  // namespace vcache::testing
