package org.xenolith.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code xeno man}: manual pages, made of what {@code --help} shows. */
@Command(
        name = "man",
        mixinStandardHelpOptions = true,
        header = {
            "Prints manual pages, or writes all of them.",
            "",
            "  xeno man create | man -l -         the page of a verb",
            "  xeno man | man -l -                the program's",
            "  xeno man --directory man/man1      all of them, for MANPATH",
            ""
        })
final class ManCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--directory",
            paramLabel = "DIRECTORY",
            description = "Write xeno.1, xeno-create.1 and so on there.")
    private Path directory;

    @Parameters(index = "0", arity = "0..1", paramLabel = "VERB", description = "Which verb.")
    private String verb;

    @Override
    public Integer call() {
        CommandLine root = spec.root().commandLine();
        if (directory != null) {
            try {
                Files.createDirectories(directory);
                write(root);
                for (CommandLine one : root.getSubcommands().values()) {
                    write(one);
                }
            } catch (IOException e) {
                throw new CliException(ExitStatus.HOST, "cannot write to " + directory + ": " + e.getMessage(), e);
            }
            return 0;
        }
        CommandLine wanted = verb == null ? root : root.getSubcommands().get(verb);
        if (wanted == null) {
            throw new CliException(ExitStatus.USAGE, "no verb '" + verb + "': 'xeno --help' lists them");
        }
        System.out.print(page(wanted));
        System.out.flush();
        return 0;
    }

    private void write(CommandLine line) throws IOException {
        Files.writeString(directory.resolve(name(line) + ".1"), page(line), StandardCharsets.UTF_8);
    }

    private static String name(CommandLine line) {
        return line.getCommandSpec().qualifiedName("-");
    }

    /** A page in the man macros: name, synopsis, examples, description, options, all from the help's model. */
    static String page(CommandLine line) {
        CommandSpec command = line.getCommandSpec();
        CommandLine.Help help =
                new CommandLine.Help(command, CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF));
        String[] header = command.usageMessage().header();
        StringBuilder out = new StringBuilder();
        out.append(".TH ").append(name(line).toUpperCase(java.util.Locale.ROOT)).append(" 1 \"\" Xenolith\n");
        out.append(".SH NAME\n").append(text(name(line))).append(" \\- ");
        out.append(text(
                header.length > 0
                        ? header[0]
                        : String.join(" ", command.usageMessage().description())));
        out.append("\n.SH SYNOPSIS\n.nf\n");
        out.append(text(help.synopsis(0).strip())).append("\n.fi\n");
        String[] examples =
                Arrays.stream(header).skip(1).filter(one -> !one.isBlank()).toArray(String[]::new);
        if (examples.length > 0) {
            out.append(".SH EXAMPLES\n.nf\n");
            Arrays.stream(examples).forEach(one -> out.append(text(one)).append('\n'));
            out.append(".fi\n");
        }
        section(out, "DESCRIPTION", command.usageMessage().description());
        if (command.options().stream().anyMatch(option -> !option.hidden())) {
            out.append(".SH OPTIONS\n");
            command.positionalParameters().stream()
                    .filter(parameter -> !parameter.hidden())
                    .forEach(parameter -> entry(out, parameter.paramLabel(), parameter.description()));
            command.options().stream()
                    .filter(option -> !option.hidden())
                    .forEach(option -> entry(
                            out,
                            String.join(", ", option.names())
                                    + (option.arity().max() == 0 ? "" : " " + option.paramLabel()),
                            Arrays.stream(option.description())
                                    .map(one -> one.replace(
                                                    "${COMPLETION-CANDIDATES}",
                                                    option.completionCandidates() == null
                                                            ? ""
                                                            : String.join(", ", option.completionCandidates()))
                                            .replace("${DEFAULT-VALUE}", String.valueOf(option.initialValue())))
                                    .toArray(String[]::new)));
        }
        if (!line.getSubcommands().isEmpty()) {
            out.append(".SH VERBS\n");
            line.getSubcommands().forEach((verb, one) -> {
                String[] about = one.getCommandSpec().usageMessage().header();
                entry(
                        out,
                        verb,
                        about.length > 0
                                ? Arrays.copyOf(about, 1)
                                : one.getCommandSpec().usageMessage().description());
            });
        }
        section(out, "FURTHER", command.usageMessage().footer());
        return out.toString();
    }

    private static void section(StringBuilder out, String title, String[] lines) {
        if (Arrays.stream(lines).allMatch(String::isBlank)) {
            return;
        }
        out.append(".SH ").append(title).append('\n');
        for (String one : lines) {
            if (!one.isBlank()) {
                out.append(".PP\n").append(text(one.strip())).append('\n');
            }
        }
    }

    private static void entry(StringBuilder out, String term, String[] lines) {
        out.append(".TP\n.B ").append(text(term)).append('\n');
        Arrays.stream(lines)
                .filter(one -> !one.isBlank())
                .forEach(one -> out.append(text(one)).append('\n'));
    }

    /** Text as roff wants it: backslashes and hyphens escaped, nothing that begins a line as a request. */
    private static String text(String line) {
        String escaped = line.replace("\\", "\\e").replace("-", "\\-");
        return escaped.startsWith(".") || escaped.startsWith("'") ? "\\&" + escaped : escaped;
    }
}
