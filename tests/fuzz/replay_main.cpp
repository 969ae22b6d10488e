#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

// Runs a fuzz target over the files and folders given, where libFuzzer is not there to do it. Each
// file is also tried cut short at every byte, and with every byte changed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void replay(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(stream), {}};
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    LLVMFuzzerTestOneInput(bytes.data(), i);
    for (const unsigned mask : {0x01U, 0x80U, 0xFFU}) {
      bytes[i] = static_cast<std::uint8_t>(bytes[i] ^ mask);
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
      bytes[i] = static_cast<std::uint8_t>(bytes[i] ^ mask);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      replay(entry.path());
      ++files;
    }
  }
  std::printf("%zu files\n", files);
  return files == 0 ? 1 : 0;
}
