#include "predictor/torch/archive.hpp"

#include <caffe2/serialize/in_memory_adapter.h>
#include <caffe2/serialize/inline_container.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "predictor/script_check.hpp"

namespace vcache::predictor {

namespace {

using base::Error;
using base::ErrorCode;
using caffe2::serialize::MemoryReadAdapter;
using caffe2::serialize::PyTorchStreamReader;

constexpr std::size_t kMaxUnpackedBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxTextBytes = std::size_t{4} << 20;

Error invalid(std::string detail) {
  return {.code = ErrorCode::kInvalid, .detail = std::move(detail)};
}

bool is_text(std::string_view name) { return name.starts_with("code/") && name.ends_with(".py"); }

bool is_pickle(std::string_view name) { return name == "data.pkl" || name == "constants.pkl"; }

// Tensors, line tables and marks of the format: nothing in them is run.
bool is_passive(std::string_view name) {
  constexpr std::array<std::string_view, 5> kMarks = {
      "version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id"};
  if (std::ranges::find(kMarks, name) != kMarks.end()) return true;
  return name.starts_with("data/") || name.starts_with("constants/") || name == ".data/version" ||
         (name.starts_with("code/") && name.ends_with(".py.debug_pkl"));
}

std::string read(PyTorchStreamReader& reader, const std::string& name) {
  const auto [data, size] = reader.getRecord(name);
  return {static_cast<const char*>(data.get()), size};
}

// A pickle names a class as module, newline, name.
bool names_native_class(std::string pickle) {
  std::ranges::replace(pickle, '\n', '.');
  return pickle.find("torch.classes") != std::string::npos;
}

Error check_record(PyTorchStreamReader& reader, const std::string& name,
                   std::vector<ScriptFile>& texts) {
  if (is_passive(name)) return {};
  if (is_text(name)) {
    if (reader.getRecordSize(name) > kMaxTextBytes)
      return invalid("record '" + name + "' is too long");
    texts.push_back({.name = name, .text = read(reader, name)});
    return {};
  }
  if (!is_pickle(name)) return invalid("record '" + name + "' does not belong in a model");
  if (names_native_class(read(reader, name))) {
    return invalid("record '" + name + "' names a native class, which may run code when loaded");
  }
  return {};
}

Error check_sizes(PyTorchStreamReader& reader, const std::vector<std::string>& names) {
  std::size_t left = kMaxUnpackedBytes;
  for (const std::string& name : names) {
    const std::size_t size = reader.getRecordSize(name);
    if (size > left) {
      return invalid("more than " + std::to_string(kMaxUnpackedBytes) + " bytes when unpacked");
    }
    left -= size;
  }
  return {};
}

Error check_records(std::string_view bytes) {
  PyTorchStreamReader reader(
      std::make_shared<MemoryReadAdapter>(bytes.data(), static_cast<off_t>(bytes.size())));
  const std::vector<std::string> names = reader.getAllRecords();
  Error refused = check_sizes(reader, names);
  if (!refused.ok()) return refused;
  std::vector<ScriptFile> texts;
  for (const std::string& name : names) {
    refused = check_record(reader, name, texts);
    if (!refused.ok()) return refused;
  }
  if (texts.empty()) return invalid("no code in it: not a TorchScript model");
  return check_script(texts);
}

}  // namespace

Error check_archive(std::string_view bytes) {
  try {
    return check_records(bytes);
  } catch (const c10::Error& error) {
    return invalid(std::string("not a TorchScript archive: ") + error.what_without_backtrace());
  } catch (const std::exception& error) {
    return invalid(std::string("not a TorchScript archive: ") + error.what());
  }
}

}  // namespace vcache::predictor
