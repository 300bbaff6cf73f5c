package org.xenolith.cli;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.Predicate;
import org.xenolith.daemon.HostConnection;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command;

/** A host that answers what a test wants, and notes what it was asked for. */
final class FakeHost implements HostConnection {
    private final Function<Command<?>, Answer> answers;
    final List<Command<?>> asked = new ArrayList<>();

    FakeHost(Function<Command<?>, Answer> answers) {
        this.answers = answers;
    }

    /** What a call of the program printed, and its status. */
    record Said(int status, String out, String err) {}

    Said xeno(String... args) {
        PrintStream oldOut = System.out;
        PrintStream oldErr = System.err;
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        try {
            System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
            int status = Main.run(() -> this, args);
            return new Said(status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
        } finally {
            System.setOut(oldOut);
            System.setErr(oldErr);
        }
    }

    @Override
    @SuppressWarnings("unchecked")
    public <A extends Answer> A ask(Command<A> command) throws HostException {
        asked.add(command);
        Answer answer = answers.apply(command);
        if (answer instanceof Answer.Failed failed) {
            throw new HostException(failed.reason(), failed.message());
        }
        return (A) answer;
    }

    @Override
    public ConsoleSession attach(String domain) throws HostException {
        throw new HostException(Answer.Reason.NO_DOMAIN, domain + " is an invalid domain identifier (rc=-6)");
    }

    @Override
    public void watch(Command.StoreWatch command, Predicate<String> listener) {
        asked.add(command);
        for (String path : command.paths()) {
            if (!listener.test(path)) {
                return;
            }
        }
    }

    @Override
    public void close() {}
}
