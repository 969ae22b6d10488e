#include "predictor/script_check.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace vcache::predictor {
namespace {

// Empty when the text is allowed.
std::string fault(const std::string& text) {
  const std::vector<ScriptFile> files = {{.name = "code/m.py", .text = text}};
  return check_script(files).detail;
}

std::string in_forward(const std::string& line) {
  return fault(
      "class Net(Module):\n  def forward(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n    " +
      line + "\n    return x\n");
}

// As torch.jit.save writes it: two modules, a function with defaults, a dead branch, a raise.
constexpr const char* kModel = R"(class Net(Module):
  __parameters__ = ["weight", ]
  __buffers__ = []
  weight : Tensor
  training : bool
  eps : Final[float] = 1.0000000000000001e-05
  shape : Final[Tuple[int]] = (12,)
  __annotations__["0"] = __torch__.torch.nn.modules.linear.Linear
  def forward(self: __torch__.Net,
    x: Tensor) -> Tensor:
    _0 = "got {}D: \"quoted\" and # no comment\n"
    _1 = __torch__.torch.nn.functional.relu
    if torch.ne(torch.dim(x), 2):
      ops.prim.RaiseException(torch.format(_0, torch.dim(x)), "builtins.ValueError")
    else:
      pass
    layer = getattr(self, "0")
    y = (layer).forward(_1(x, False, ), )
    sizes = annotate(List[int], [])
    for i in range(3):
      _2 = torch.append(sizes, i)
    return torch.sigmoid(torch.mul(y, -1.5e3)[0:int(torch.len(sizes))])
  def __len__(self: __torch__.Net) -> int:
    return 7
def relu(input: Tensor,
    inplace: bool=False,
    name: str="relu") -> Tensor:
  if inplace:
    result = torch.relu_(input)
  else:
    result = torch.relu(input)
  return result
)";

TEST(ScriptCheck, AllowsWhatTorchWritesForPlainModels) { EXPECT_EQ(fault(kModel), ""); }

TEST(ScriptCheck, RefusesWhatRunsWhileLoading) {
  EXPECT_EQ(fault("class Net(Module):\n  def __setstate__(self: __torch__.Net) -> NoneType:\n"
                  "    return None\n"),
            "code/m.py line 2: '__setstate__' is not allowed in a model");
  EXPECT_EQ(fault("def f(x: Tensor=torch.zeros([2])) -> Tensor:\n  return x\n"),
            "code/m.py line 1: a default or annotation calls something");
  EXPECT_EQ(fault("def f(x: Tensor=__torch__.g(1)) -> Tensor:\n  return x\n"
                  "def g(i: int) -> Tensor:\n  return torch.zeros([i])\n"),
            "code/m.py line 1: a default or annotation calls something");
  EXPECT_EQ(fault("class P(NamedTuple):\n  data : Tensor = torch.zeros([2])\n"),
            "code/m.py line 2: a default or annotation calls something");
  EXPECT_EQ(fault("class P(NamedTuple):\n  data : Tensor = [(\n    \"x\".clone)()]\n"),
            "code/m.py line 3: a default or annotation calls something");
}

TEST(ScriptCheck, RefusesOperatorsNotOnTheList) {
  EXPECT_EQ(in_forward("y = torch.rand([2])"),
            "code/m.py line 4: 'aten::rand' is not an allowed operator");
  EXPECT_EQ(in_forward("y = ops.quantized.linear(x)"),
            "code/m.py line 4: 'quantized::linear' is not an allowed operator");
  EXPECT_EQ(in_forward("y = (x).record_stream()"),
            "code/m.py line 4: method 'record_stream' is not an allowed operator");
  EXPECT_EQ(in_forward("y = (x).torch.record_stream()"),
            "code/m.py line 4: method 'record_stream' is not an allowed operator");
  EXPECT_EQ(in_forward("f = torch"), "code/m.py line 4: 'aten::' is not an allowed operator");
  EXPECT_EQ(in_forward("f = ops"),
            "code/m.py line 4: 'ops' must be followed by the name of an operator");
  EXPECT_EQ(in_forward("y = unheard_of(x)"),
            "code/m.py line 4: 'unheard_of' is not an allowed function");
}

TEST(ScriptCheck, RefusesNamesThatReachFilesOrNeverEnd) {
  for (const char* line :
       {"y = torch.from_file(\"/etc/passwd\", False, 9)",
        "y = (\"/etc/passwd\").from_file(False, 9)", "f = (\"/etc/passwd\").from_file",
        "torch.save(x, \"/tmp/x\")", "y = torch.load(\"/tmp/x\")", "while True:", "y = fork(x)",
        "print(x)", "c = __torch__.torch.classes.quantized.Packed", "import os"}) {
    EXPECT_NE(in_forward(line).find("line 4: '"), std::string::npos) << line;
  }
}

TEST(ScriptCheck, RefusesHiddenAttributeNames) {
  for (const char* line : {"f = getattr(\"p\", \"from_file\")", "f = getattr(x, \"from\\137file\")",
                           "f = getattr(x, name)", "f = getattr(getattr(x, \"a\"), \"save\")"}) {
    EXPECT_EQ(in_forward(line), "code/m.py line 4: getattr of a name not allowed") << line;
  }
  EXPECT_EQ(in_forward("f = getattr(getattr(x, \"a\"), \"b\")"), "");
}

TEST(ScriptCheck, RefusesTextThatTwoReadersMightReadDifferently) {
  for (const char* line : {"y = x # torch", "y = \"\"\"long\"\"\"", "y = r\"raw\"", "y = \"open",
                           "y = x \\", "y = caf\xC3\xA9", "y = x\r", "y = \"a\"\"b\""}) {
    EXPECT_NE(in_forward(line).find("line 4: not text that TorchScript writes"), std::string::npos)
        << line;
  }
  EXPECT_NE(fault(")\n"), "");
}

TEST(ScriptCheck, RefusesNestingThatWouldExhaustTheCompiler) {
  EXPECT_EQ(in_forward("y = " + std::string(90, '(') + "x" + std::string(90, ')')), "");
  EXPECT_EQ(in_forward("y = " + std::string(101, '[')),
            "code/m.py line 4: brackets are nested too deep");
  EXPECT_EQ(in_forward("y = " + std::string(5'000, '-') + "x"),
            "code/m.py line 4: a statement is too long");
  EXPECT_EQ(in_forward("\n" + std::string(300, ' ') + "pass"),
            "code/m.py line 5: not text that TorchScript writes");
}

TEST(ScriptCheck, BrokenEndsAreNoTrap) {
  for (const char* text : {"", "torch", "torch.", "ops.", "ops.prim", "getattr", "getattr(", "def",
                           "def f(", "x.", "(", "\"", "\"\\"}) {
    (void)fault(text);  // ends, inside its bounds
  }
}

TEST(ScriptCheck, DefinitionsCountAcrossFiles) {
  const std::vector<ScriptFile> files = {
      {.name = "a", .text = "def f(x: Tensor) -> Tensor:\n  return (x).encode_all()\n"},
      {.name = "b", .text = "def encode_all(x: Tensor) -> Tensor:\n  return x\n"}};
  EXPECT_TRUE(check_script(files).ok());
  EXPECT_FALSE(check_script(std::span(files).first(1)).ok());
}

}  // namespace
}  // namespace vcache::predictor
