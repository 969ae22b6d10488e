#include "l1/access/log_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/scratch_folder.hpp"

namespace vcache::l1 {
namespace {

using testing::ScratchFolder;

class LogFileTest : public ::testing::Test {
 protected:
  [[nodiscard]] LogFile file_of(std::size_t bytes, int older = 3) const {
    return LogFile({.path = path_, .most_bytes = bytes, .older = older});
  }
  [[nodiscard]] std::string text(const std::string& suffix = "") const {
    return ScratchFolder::text_of(path_ + suffix);
  }
  [[nodiscard]] mode_t mode() const {
    struct stat status{};
    EXPECT_EQ(::stat(path_.c_str(), &status), 0);
    return status.st_mode & 0777;
  }
  static void append(LogFile& file, const std::string& lines) {
    std::size_t written = 0;
    const base::Error error = file.append(lines, written);
    EXPECT_TRUE(error.ok()) << error.detail;
    EXPECT_EQ(written, lines.size());
  }

  ScratchFolder folder_;
  const std::string path_ = folder_.path("log.jsonl");
};

TEST_F(LogFileTest, AppendsForItsOwnerAlone) {
  LogFile file = file_of(100);
  append(file, "one\n");
  append(file, "two\nthree\n");
  EXPECT_EQ(text(), "one\ntwo\nthree\n");
  EXPECT_EQ(mode(), 0600U);
}

TEST_F(LogFileTest, TakesTheRightsOfOthersAway) {
  std::ofstream(path_) << "old\n";
  ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  LogFile file = file_of(100);
  append(file, "new\n");
  EXPECT_EQ(text(), "old\nnew\n");
  EXPECT_EQ(mode(), 0600U);
}

TEST_F(LogFileTest, EndsALineThatACrashCutOff) {
  std::ofstream(path_) << "whole\nhal";
  LogFile file = file_of(100);
  append(file, "next\n");
  EXPECT_EQ(text(), "whole\nhal\nnext\n");
}

TEST_F(LogFileTest, RotatesAtItsLimitAndKeepsTheNewest) {
  LogFile file = file_of(8, 2);
  append(file, "aaa\nbbb\n");
  EXPECT_EQ(text(".1"), "");
  append(file, "ccc\n");
  EXPECT_EQ(text(), "ccc\n");
  EXPECT_EQ(text(".1"), "aaa\nbbb\n");
  append(file, "ddd\neee\nfff\nggg\n");  // over two ends
  EXPECT_EQ(text(), "ggg\n");
  EXPECT_EQ(text(".1"), "eee\nfff\n");
  EXPECT_EQ(text(".2"), "ccc\nddd\n");
  EXPECT_FALSE(std::filesystem::exists(path_ + ".3"));
}

TEST_F(LogFileTest, ALineLongerThanAFileIsInOneAlone) {
  LogFile file = file_of(4);
  append(file, "a\nlonger line\nb\n");
  EXPECT_EQ(text(), "b\n");
  EXPECT_EQ(text(".1"), "longer line\n");
  EXPECT_EQ(text(".2"), "a\n");
}

TEST_F(LogFileTest, AnotherWhoRotatesIsFollowed) {
  LogFile one = file_of(8);
  LogFile another = file_of(8);
  append(one, "aaa\n");
  append(another, "bbb\n");
  append(one, "ccc\n");
  append(another, "ddd\n");
  EXPECT_EQ(text(), "ccc\nddd\n");
  EXPECT_EQ(text(".1"), "aaa\nbbb\n");
}

TEST_F(LogFileTest, AFolderThatIsGoneIsAnErrorUntilItIsBack) {
  std::filesystem::create_directory(folder_.path("sub"));
  LogFile file({.path = folder_.path("sub/log.jsonl")});
  append(file, "one\n");
  std::filesystem::rename(folder_.path("sub"), folder_.path("gone"));
  std::size_t written = 1;
  EXPECT_EQ(file.append("two\n", written).detail, "No such file or directory");
  EXPECT_EQ(written, 0U);
  std::filesystem::create_directory(folder_.path("sub"));
  append(file, "two\n");
  EXPECT_EQ(ScratchFolder::text_of(folder_.path("sub/log.jsonl")), "two\n");
}

TEST_F(LogFileTest, SaysWhatIsNoFileToWriteTo) {
  EXPECT_TRUE(file_of(100).check().ok());
  EXPECT_EQ(mode(), 0600U);
  EXPECT_EQ(LogFile({.path = folder_.path("")}).check().detail, "Is a directory");
  EXPECT_EQ(LogFile({.path = folder_.path("no/log")}).check().detail, "No such file or directory");
  EXPECT_EQ(LogFile({.path = "/dev/null"}).check().detail, "Not a regular file");
  const std::string fifo = folder_.path("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(LogFile({.path = fifo}).check().detail, "Not a regular file");
}

}  // namespace
}  // namespace vcache::l1
