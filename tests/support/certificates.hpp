#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace vcache::testing {

// The files of certificates.sh in a folder of their own, gone with this object.
class Certificates {
 public:
  Certificates() : folder_(make_folder()) {
    const std::string command =
        std::string(VCACHE_TEST_DATA) + "/../support/certificates.sh " + folder_.string();
    if (std::system(command.c_str()) != 0) {  // NOLINT(*-mt-unsafe,cert-env33-c)
      throw std::runtime_error("no certificates");
    }
  }
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;
  ~Certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  [[nodiscard]] std::string certificate(const std::string& name) const {
    return (folder_ / (name + ".crt")).string();
  }
  [[nodiscard]] std::string key(const std::string& name) const {
    return (folder_ / (name + ".key")).string();
  }

  // Made by the first that asks.
  static const Certificates& shared() {
    static const Certificates only;
    return only;
  }

 private:
  static std::filesystem::path make_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "vcache-certs-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for certificates");
    return name;
  }

  const std::filesystem::path folder_;
};

}  // namespace vcache::testing
