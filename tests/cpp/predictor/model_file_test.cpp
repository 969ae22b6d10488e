#include "predictor/model_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace vcache::predictor {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAbcDigest =  // FIPS 180-2, appendix B.1
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

class ModelFile : public ::testing::Test {
 protected:
  ModelFile() : path_(::testing::TempDir() + "vcache_model_" + std::to_string(::getpid())) {}
  ~ModelFile() override { fs::remove_all(path_); }

  void write(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }
  [[nodiscard]] std::string error(const std::string& sha256 = "") const {
    return read_model(path_, sha256).error().detail;
  }

  std::string path_;
};

TEST_F(ModelFile, ReadsBytesWithTheExpectedDigest) {
  write("abc");
  EXPECT_EQ(sha256_hex("abc"), kAbcDigest);
  EXPECT_EQ(read_model(path_, "").value(), "abc");
  EXPECT_EQ(read_model(path_, kAbcDigest).value(), "abc");
  std::string upper = kAbcDigest;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(read_model(path_, upper).value(), "abc");
}

TEST_F(ModelFile, RefusesAnotherDigest) {
  write("abd");
  const auto result = read_model(path_, kAbcDigest);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, base::ErrorCode::kInvalid);
  EXPECT_EQ(result.error().detail, "model file '" + path_ + "' has sha256 " + sha256_hex("abd") +
                                       ", expected " + kAbcDigest);
  EXPECT_FALSE(read_model(path_, "ba78").ok());
}

TEST_F(ModelFile, RefusesWhatIsNotAFileOfSomeBytes) {
  EXPECT_EQ(error(), "model file '" + path_ + "' cannot be read: No such file or directory");
  write("");
  EXPECT_EQ(error(), "model file '" + path_ + "' is empty");
  fs::remove(path_);
  fs::create_directory(path_);
  EXPECT_EQ(error(), "model file '" + path_ + "' is not a regular file");
  fs::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(error(), "model file '" + path_ + "' is not a regular file");
}

TEST_F(ModelFile, RefusesMoreBytesThanAllowed) {
  write("x");
  fs::resize_file(path_, kMaxModelBytes + 1);
  EXPECT_EQ(error(), "model file '" + path_ + "' has 67108865 bytes, allowed are 67108864");
}

TEST_F(ModelFile, FileThatAnyoneMayWriteNeedsItsDigest) {
  write("abc");
  fs::permissions(path_, fs::perms::others_write, fs::perm_options::add);
  EXPECT_EQ(error(), "model file '" + path_ + "' may be written by any user: give its sha256");
  EXPECT_TRUE(read_model(path_, kAbcDigest).ok());
}

}  // namespace
}  // namespace vcache::predictor
