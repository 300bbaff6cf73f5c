/* Python: a script compiled and run in an embedded interpreter, with the modules that are part of the library and no
 * files. Linked with Debian's static libpython3. SPDX-License-Identifier: Apache-2.0 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "xbench.h"

enum { SIZE = 8 * 1024 };

/* Start-up asks for the package `encodings`, which is not among the modules inside the library: this stands in. */
static const char encodings_text[] =
    "import codecs\n"
    "class Encoder(codecs.IncrementalEncoder):\n"
    "    def encode(self, text, final=False):\n"
    "        return codecs.utf_8_encode(text, self.errors)[0]\n"
    "class Decoder(codecs.BufferedIncrementalDecoder):\n"
    "    _buffer_decode = codecs.utf_8_decode\n"
    "def search(name):\n"
    "    if name.replace('-', '_') in ('utf_8', 'utf8'):\n"
    "        return codecs.CodecInfo(codecs.utf_8_encode, codecs.utf_8_decode,\n"
    "            incrementalencoder=Encoder, incrementaldecoder=Decoder, name='utf-8')\n"
    "codecs.register(search)\n";

/* Classes, closures, generators, dictionaries, formatted text, exceptions and long integers. */
static const char script[] =
    "class Shape:\n"
    "    __slots__ = ('width', 'height')\n"
    "    def __init__(self, width, height):\n"
    "        self.width, self.height = width, height\n"
    "    @property\n"
    "    def area(self):\n"
    "        return self.width * self.height\n"
    "    def __lt__(self, other):\n"
    "        return (self.area, self.width) < (other.area, other.width)\n"
    "class Square(Shape):\n"
    "    def __init__(self, side):\n"
    "        super().__init__(side, side)\n"
    "    def __repr__(self):\n"
    "        return f'Square({self.width})'\n"
    "def primes(limit):\n"
    "    marked = bytearray(limit)\n"
    "    for n in range(2, limit):\n"
    "        if not marked[n]:\n"
    "            yield n\n"
    "            for m in range(n * n, limit, n):\n"
    "                marked[m] = 1\n"
    "def counter():\n"
    "    total = 0\n"
    "    def add(amount):\n"
    "        nonlocal total\n"
    "        total += amount\n"
    "        return total\n"
    "    return add\n"
    "report = []\n"
    "count = {}\n"
    "for line in text.split('\\n'):\n"
    "    for word in line.split():\n"
    "        count[word] = count.get(word, 0) + 1\n"
    "    report.append(line.replace('the', 'a').title()[:40].center(44, '*'))\n"
    "for word, times in sorted(count.items(), key=lambda item: (-item[1], item[0]))[:60]:\n"
    "    report.append(f'{word:<12}|{times:5d}|{times / 7:10.4f}|{word[::-1]!r}')\n"
    "shapes = [Square(i * 37 % 23 + 1) if i % 3 else Shape(i % 11, i % 7) for i in range(300)]\n"
    "report.append(' '.join(repr(s) for s in sorted(shapes) if isinstance(s, Square)))\n"
    "report.append(str(sum(s.area for s in shapes)))\n"
    "report.append(','.join(map(str, primes(3000))))\n"
    "add = counter()\n"
    "for i in range(2000):\n"
    "    try:\n"
    "        add(1000 // (i % 10))\n"
    "    except ZeroDivisionError as e:\n"
    "        add(len(str(e)))\n"
    "report.append(str(add(0)))\n"
    "factorial = 1\n"
    "for i in range(1, 200):\n"
    "    factorial *= i\n"
    "report.append(str(factorial))\n"
    "report.append(str(pow(3, factorial, 2 ** 127 - 1)))\n"
    "result = '\\n'.join(report)\n";

static PyObject *text;

/* What Python would print on standard error becomes the reason of the failure. */
static void trouble(const char *where) {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject *words = value ? PyObject_Str(value) : NULL;
    const char *reason = words ? PyUnicode_AsUTF8(words) : NULL;
    fail(reason ? reason : where);
}

static PyObject *run(const char *source, const char *name, PyObject *globals) {
    PyObject *code = Py_CompileString(source, name, Py_file_input);
    if (!code || PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) != 0) return NULL;
    PyObject *value = PyEval_EvalCode(code, globals, globals);
    Py_DECREF(code);
    return value;
}

static PyObject *encodings(void) {
    static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "encodings", .m_size = -1};
    PyObject *module = PyModule_Create(&definition);
    PyObject *value = module ? run(encodings_text, "encodings", PyModule_GetDict(module)) : NULL;
    if (!value) {
        Py_XDECREF(module);
        return NULL;
    }
    Py_DECREF(value);
    return module;
}

static void check(PyStatus status) {
    if (PyStatus_Exception(status)) fail(status.err_msg ? status.err_msg : "the interpreter does not start");
}

static void python_setup(void) {
    static char words[SIZE];
    PyPreConfig before;
    PyConfig config;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    check(Py_PreInitialize(&before));
    if (PyImport_AppendInittab("encodings", encodings) != 0) fail("PyImport_AppendInittab");
    PyConfig_InitIsolatedConfig(&config);
    config.site_import = 0;
    config.pathconfig_warnings = 0;
    config.install_signal_handlers = 0;
    config.use_hash_seed = 1;
    config.hash_seed = 1;
    /* No search path: what is not in the library is not there. Places that are given are not searched for. */
    config.module_search_paths_set = 1;
    check(PyConfig_SetString(&config, &config.executable, L"/xbench-python"));
    check(PyConfig_SetString(&config, &config.home, L"/"));
    check(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
    fill_text(words, SIZE, 78);
    text = PyUnicode_FromStringAndSize(words, SIZE);
    if (!text) trouble("text");
}

static uint64_t python_unit(void) {
    PyObject *globals = PyDict_New();
    if (!globals || PyDict_SetItemString(globals, "text", text) != 0) trouble("globals");
    PyObject *value = run(script, "script", globals);
    if (!value) trouble("the script fails");
    Py_DECREF(value);
    Py_ssize_t length;
    PyObject *result = PyDict_GetItemString(globals, "result");
    const char *report = result ? PyUnicode_AsUTF8AndSize(result, &length) : NULL;
    if (!report) trouble("the script leaves no result");
    uint64_t sum = mix_bytes((uint64_t) length, report, (size_t) length);
    /* Functions and the dictionary that holds them refer to each other. */
    PyDict_Clear(globals);
    Py_DECREF(globals);
    return sum;
}

const struct workload python_workloads[] = {{"python", python_unit, python_setup}, {NULL, NULL, NULL}};
