"""What onnx.parser accepts and how onnx.printer writes it: python3 test/golden/gen/onnx_text.py > test/golden/data/onnx-text.json

Each case is a piece of ONNX textual syntax put into a place of a small model. Recorded: the text, whether the
reference parser takes it, and the reference printer's form of what was read.
"""
import json

import onnx
import onnx.parser
import onnx.printer

HEADER = '<ir_version: 10, opset_import: ["" : 21]>\n'


def attribute(text):
    return HEADER + "g (x) => (y) { y = A <" + text + "> (x) }"


def initializer(text):
    return HEADER + "g (x) => (y) <" + text + "> { y = A (x) }"


def value(text):
    return HEADER + "g (" + text + ") => (y) { y = A (x) }"


def node(text):
    return HEADER + "g (x) => (y) { " + text + " }"


def function(text):
    return node("y = A (x)") + "\n" + text


ATTRIBUTES = [
    "a = 1", "a: int = 1", "a: float = 1", "a = 1.", "a = 1e-2", "a = .5", "a = +1", "a = 0x10", "a = -3", "a = - 3",
    "a = 1e", "a = inf", "a = -Infinity", "a = NaN", "a = -nan", "a = nanx", "a: int = 1.5", "a: string = 3", 'a = "s"',
    'a = "a\\"b\\\\c\\n"', 'a = "two\nlines"', 'a = "open', "a = [1, 2]", "a = [1.5, 2]", "a = [1, 2.5]", "a: floats = [1, 2.5]",
    "a = []", "a: ints = []", "a: int = []", "a: int = [1]", 'a: strings = ["x", "y"]', "a = [1,]", "a = 1,", "", "a",
    "a: unknown = 1", "a: tensor = float[2] {1, 2}", "a: tensor = float[2] n {1, 2}", "a: tensor = float[2] n = {1, 2}",
    'a: tensor = float[2] "n.m" {1, 2}', 'a: tensor = float[2] = ["location": "f"]', "a: tensor = float {3}", "a = float",
    "a: type_proto = float[N]", "a: type_proto = seq(map(int64, float[]))", "a: type_proto = optional(seq(float[2,?]))",
    "a: type_proto = opaque(d.e, n)", "a: type_proto = opaque(n)", "a: type_proto = opaque()", "a: type_proto = sparse_tensor(float[3])",
    "a: int = @r", "a = @r", 'a = @"r s"', "a: graph = g1 (z) => (w) { w = B (z) }", "a = g1 () => (w) { w = B () }",
    "a: graph = g1 => (w) { w = B () }", '"a" = 1', "a = 1, a2 = 2", "a: float = 9223372036854775807", "a = 9223372036854775807",
    "a: floats = [0.1, 1e5, 123456789000, 16777216, 1e-5, 0.0001, 1e22, 100000, 0.001, 3.4028235e38, 1e-45, 33554432, 12345678]",
    "a: floats = [0.30000001192092896, 1e10, 1e9, 120000, 0.00012, 8388608.5, 0.1234567, 65504, -0, 7.006492321624085e-46]",
    "a: floats = [1, 10, 100, 1000, 10000, 99999, 100001, 1000000, 1234567, 12345678, 123456789, 1e11, 1e12, -1e5, -0.001]",
]
INITIALIZERS = [
    "float[2] w = {1, 2}", "float[2] w = {1, 2,}", "float w = {3}", "float[2] w", "float w = {}", "float[N] w = {1}", "float[] w = {1}",
    "float[0] w = {}", "double[2] w = {0.1, 1e300}", "int64[2] w = {-9223372036854775808, 9223372036854775807}",
    "uint64[1] w = {18446744073709551615}", "int32[2] w = {1, -2}", "int8[2] w = {-128, 127}", "uint16[1] w = {65535}",
    "bool[2] w = {1, 0}", "bool[1] w = {true}", "float16[2] w = {15360, 0}", "bfloat16[1] w = {16256}", "float16[1] w = {1.5}",
    "float8e4m3fn[1] w = {120}", 'string[2] w = {"a", "b\\"c"}', 'string[0] w = {}', 'float[2] w = ["location": "f", "offset": "16"]',
    "float[2] w = []", "seq(float) w = {1}", "w = {1}", "float[1] w = {1}, float[N] v", "float[1] w = {1},", "float[1] w = {inf}",
    "float[1] w = {nan}", "float[2] 1w = {1, 2}", 'float[1] "a b" = {1}', "floot[1] w = {1}", "float[-1] w = {1}", "int32[1] w = {1.5}",
    "uint32[1] w = {4294967295}", "complex64[1] w = {1, 2}", "float[1] w # comment\n = {1}", "float[1] w // comment\n = {1}",
]
VALUES = [
    "x", "float x", "float[] x", "float[N] x", 'float["N+1"] x', "float[?,3] x", "float [ 2 , 3 ] x", "seq(float) x", "seq(seq(float[N])) x",
    "map(string, float[2]) x", "map(seq(float), float) x", "optional(float) x", "sparse_tensor(float[3,?]) x", "sparse_tensor(seq(float)) x",
    "opaque(a.b, c) x", "float float", "float", "float x = {1}", "float[2] x = {1, 2}, float z", "x,", ", x", "float[2,] x", "float[] [] x",
    '"x"', "x y", "tensor(float) x", "",
]
NODES = [
    "y = A (x)", "y = A(x)", "y = a.b.C (x)", "y = a.b.C:o (x)", "[n] y = A (x)", '["n 1"] y = A (x)', "[] y = A (x)", "y, z = A (x)",
    "y, , z = A (x)", "y = A (x, , z)", 'y = A (x, "", z)', "y = A (x,)", "y = A (,)", "y = A (,x)", "y = A ()", "= A (x)", "y = A", "y = (x)",
    'y = "A" (x)', "y = A (x) <a = 1>", "y = A <a = 1> (x) <b = 2>", "y = A <> (x)", "y = A (x);", "y = A (x) z = B (y)", 'y = A ("x y")',
    "y = A (x", "y A (x)", "y == A (x)", "y => A (x)", "y = 3 (x)", "", "inf = A (x)", "float = A (float)", "y = A (3)", "y = a . b . C (x)",
    "y = .A (x)", "y = A. (x)", "y = A : o (x)", "y = A : (x)", "[1] y = A (x)",
]
FUNCTIONS = [
    '<domain: "d", opset_import: ["" : 20]> f (x) => (z) { z = B (x) }', "f (x) => (z) { z = B (x) }",
    '<domain: "d", overload: "o", opset_import: ["" : 20]> f <a, b> (x, y) => (z) { z = B <k: int = @a> (x, y) }',
    '<domain: "d", opset_import: ["" : 20]> f (x) => (z) { z = B (x) } <domain: "e"> h (x) => (z) { z = B (x) }',
    '<ir_version: 3> f (x) => (z) { z = B (x) }', '<domain: "d"> f x => (z) { z = B (x) }', "junk", '<domain: "d"> "f g" (x) => (z) { z = B (x) }',
]
WHOLE = [
    "g (x) => (y) { y = A (x) }", "<> g (x) => (y) { y = A (x) }", "<ir_version: 8> g (x) => (y) {}", "<ir_version: 8,> g (x) => (y) {}",
    '<opset_import: []> g () => () {}', '<unknown: 3> g (x) => (y) {}', "g => (y) { y = A () }", "g (x) = > (y) {}", "g (x) => {}", "",
    '<metadata_props: ["a": "b", "c": "d"], producer_name: "p", producer_version: "1", domain: "d", model_version: 3, doc_string: "s", ir_version: 4> g () => () {}',
    "# only a comment", "g (x) => (y) { y = A (x) } }", "<ir_version: \"8\"> g () => () {}", "\"a b\" () => () {}", "# c\ng () => () # c\n{ # c\n}\n# c",
    "3 () => () {}", "<metadata_props: []> g () => () {}",
]


def case(place, text, whole):
    result = {"place": place, "text": text, "model": whole}
    try:
        model = onnx.parser.parse_model(whole)
    except (onnx.parser.ParseError, ValueError, RuntimeError):
        return {**result, "accepted": False}
    return {**result, "accepted": True, "printed": onnx.printer.to_text(model)}


cases = []
for name, wrap, texts in [
    ("attribute", attribute, ATTRIBUTES), ("initializer", initializer, INITIALIZERS), ("value", value, VALUES),
    ("node", node, NODES), ("function", function, FUNCTIONS), ("model", lambda text: text, WHOLE),
]:
    cases += [case(name, text, wrap(text)) for text in texts]
print(json.dumps({"onnx": onnx.__version__, "cases": cases}, indent=1, ensure_ascii=False))
