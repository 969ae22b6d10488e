#pragma once

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace vcache::testing {

// ACL SETUSER as cpp/l2/README.md has it, of a user `name` of a namespace `space`.
[[nodiscard]] inline std::vector<std::string> least_user(const std::string& name,
                                                         const std::string& password,
                                                         const std::string& space) {
  std::ifstream file(VCACHE_TEST_DATA "/../../cpp/l2/README.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string opening = "```\nACL SETUSER vcache ";
  const std::size_t begin = text.find(opening);
  if (begin == std::string::npos) throw std::runtime_error("no ACL SETUSER in cpp/l2/README.md");
  const std::size_t words = begin + opening.size();
  std::istringstream rest(text.substr(words, text.find("```", words) - words));
  std::vector<std::string> out = {"ACL", "SETUSER", name};
  for (std::string word; rest >> word;) {
    const std::size_t at = word.find("vcache");
    if (word.starts_with('~')) word.replace(at, 6, space);
    out.push_back(word == ">PASSWORD" ? ">" + password : word);
  }
  return out;
}

}  // namespace vcache::testing
