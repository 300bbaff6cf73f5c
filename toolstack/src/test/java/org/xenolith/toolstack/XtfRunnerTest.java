package org.xenolith.toolstack;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.toolstack.xtf.XtfResult;
import org.xenolith.toolstack.xtf.XtfRunner;
import org.xenolith.toolstack.xtf.XtfStatus;
import org.xenolith.toolstack.xtf.XtfSuite;
import org.xenolith.toolstack.xtf.XtfTest;

class XtfRunnerTest {
    @TempDir
    Path directory;

    private final XtfRunner runner = new XtfRunner(30, 2, false, EngineKind.INTERPRET);

    /** A kernel that writes a text with console_io and powers off. */
    private static String printing(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        // mov eax, 18; xor ebx, ebx; mov ecx, length; mov edx, text; vmcall
        // mov dword [0x2000], 0; mov ecx, 0x2000; mov ebx, 2; mov eax, 29; vmcall; jmp $
        String code = "b812000000 31db b9LENGTH00 baTEXT0000 0f01c1"
                + "c7050020000000000000 b900200000 bb02000000 b81d000000 0f01c1 ebfe";
        int size = code.replace("LENGTH00", "00000000")
                        .replace("TEXT0000", "00000000")
                        .replace(" ", "")
                        .length()
                / 2;
        return code.replace("LENGTH00", word(bytes.length)).replace("TEXT0000", word(TinyKernel.ENTRY + size))
                + HexFormat.of().formatHex(bytes);
    }

    private static String word(int value) {
        return HexFormat.of()
                .formatHex(ByteBuffer.allocate(4)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putInt(value)
                        .array());
    }

    private void addTest(String name, String code, String extra) throws IOException {
        Path test = Files.createDirectories(directory.resolve("tests").resolve(name));
        Files.writeString(
                test.resolve("info.json"),
                "{ \"name\": \"%s\", \"category\": \"xsa\",\n \"environments\": [\n\"hvm32\", \"pv64\" ],\n\"variations\": [] }"
                        .formatted(name));
        Files.writeString(
                test.resolve("test-hvm32-" + name + ".cfg"),
                "name=\"x\"\n\nvcpus=1 \n\ntype=\"hvm\" # Legacy\nmemory=16\non_reboot = \"destroy\"\n" + extra);
        Files.move(TinyKernel.write(test, code), test.resolve("test-hvm32-" + name));
    }

    private XtfResult run(String name) throws IOException, InterruptedException {
        XtfTest test = XtfSuite.find(directory).stream()
                .filter(found -> found.id().equals("test-hvm32-" + name))
                .findFirst()
                .orElseThrow();
        return runner.run(test);
    }

    @Test
    void theResultIsWhatTheKernelPrints() throws Exception {
        addTest("good", printing("--- hello ---\r\nTest result: SUCCESS\n"), "");
        addTest("bad", printing("Fail: vulnerable\nTest result: FAILURE\n"), "viridian = [ \"base\", \"synic\" ]\n");
        addTest(
                "skip",
                printing("FEP unavailable. (Is it\n in, and booted with 'hvm_fep'?)\nTest result: SKIP\n"),
                "hap=1");
        addTest("none", printing("almost\nTest result: SUCCES\n"), "max_event_channels=4096");
        assertThat(run("good").status()).isEqualTo(XtfStatus.SUCCESS);
        XtfResult bad = run("bad");
        assertThat(bad.status()).isEqualTo(XtfStatus.FAILURE);
        assertThat(bad.detail()).isEqualTo("Fail: vulnerable");
        XtfResult skip = run("skip");
        assertThat(skip.status()).isEqualTo(XtfStatus.SKIP);
        assertThat(skip.detail()).isEqualTo("FEP unavailable. (Is it in, and booted with 'hvm_fep'?)");
        XtfResult none = run("none");
        assertThat(none.status()).isEqualTo(XtfStatus.CRASH);
        assertThat(none.detail()).isEqualTo("powered off without a result");
    }

    @Test
    void aKernelThatCrashesOrHangsIsACrashAndSettingsThatAreNotKnownAreNotIgnored() throws Exception {
        addTest("triple", TinyKernel.TRIPLE_FAULT, "");
        addTest("spin", TinyKernel.SPIN, "");
        addTest("nested", TinyKernel.SPIN, "nestedhvm = 1\n");
        addTest("wrong", TinyKernel.SPIN, "viridian = [ \"base\", \"magic\" ]\n");
        assertThat(run("triple").status()).isEqualTo(XtfStatus.CRASH);
        assertThat(run("nested").detail()).isEqualTo("the setting nestedhvm = 1 is not supported");
        assertThat(run("wrong").detail()).isEqualTo("viridian: \"magic\" is not supported");
        XtfTest spin = XtfSuite.find(directory.resolve("tests/spin")).getFirst();
        assertThat(new XtfRunner(1, 1, false, EngineKind.INTERPRET).run(spin).detail())
                .isEqualTo("did not end within 1 s");
    }

    @Test
    void severalRunAtATimeAndAreReportedInOrder() throws Exception {
        for (String name : List.of("a", "b", "c")) {
            addTest(name, printing("Test result: SUCCESS\n"), "");
        }
        List<XtfTest> tests = XtfSuite.find(directory);
        List<String> ids = new java.util.ArrayList<>();
        List<XtfResult> results =
                runner.run(tests, result -> ids.add(result.test().id()));
        assertThat(ids)
                .containsExactly(
                        "test-hvm32-a", "test-pv64-a", "test-hvm32-b", "test-pv64-b", "test-hvm32-c", "test-pv64-c");
        assertThat(results.get(1).status()).as("PV").isEqualTo(XtfStatus.SKIP);
        assertThat(results.get(4).status()).isEqualTo(XtfStatus.SUCCESS);
    }

    @Test
    void aDirectoryThatIsNoneIsRefusedWithOneLine() throws Exception {
        assertThatThrownBy(() -> XtfSuite.find(directory.resolve("none")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("is not a directory");
        assertThat(XtfSuite.find(directory)).isEmpty();
        Files.createDirectories(directory.resolve("odd"));
        Files.writeString(directory.resolve("odd/info.json"), "{}");
        assertThatThrownBy(() -> XtfSuite.find(directory))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("has no \"name\"");
    }
}
