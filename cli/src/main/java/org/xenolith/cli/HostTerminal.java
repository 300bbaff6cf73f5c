package org.xenolith.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.function.BiConsumer;
import org.jline.terminal.Attributes;
import org.jline.terminal.Attributes.ControlChar;
import org.jline.terminal.Attributes.InputFlag;
import org.jline.terminal.Attributes.LocalFlag;
import org.jline.terminal.Attributes.OutputFlag;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.impl.ffm.FfmTerminalProvider;
import org.jline.terminal.spi.SystemStream;

/**
 * The terminal that {@code xeno} was started on: raw while a guest's console is attached, always given back as it was.
 *
 * <p>Only its modes and its size are JLine's; bytes are read and written by the caller, because a console must not decode
 * characters. JLine's builder is not used: it asks the terminal questions whose answers a slow line delivers to the guest.
 */
public final class HostTerminal implements AutoCloseable {
    private final FfmTerminalProvider provider;
    private final Terminal terminal;
    private final Attributes original;
    private final Thread hook;
    private Object resizeRegistration;
    private boolean raw;

    private HostTerminal(FfmTerminalProvider provider, Terminal terminal) {
        this.provider = provider;
        this.terminal = terminal;
        this.original = terminal.getAttributes();
        this.hook = new Thread(this::restore, "terminal-restore");
    }

    /** Whether a person is there: standard input and output are both the terminal. */
    public static boolean present() {
        // System.console() would load a line editor; /dev/tty says too little. The provider asks isatty.
        FfmTerminalProvider provider = new FfmTerminalProvider();
        return provider.isSystemStream(SystemStream.Input) && provider.isSystemStream(SystemStream.Output);
    }

    /** Whether standard input is a terminal. */
    public static boolean inputIsTerminal() {
        return new FfmTerminalProvider().isSystemStream(SystemStream.Input);
    }

    /** Whether standard error is a terminal, so that a line on it may be rewritten. */
    public static boolean errorIsTerminal() {
        return new FfmTerminalProvider().isSystemStream(SystemStream.Error);
    }

    public static HostTerminal open() {
        FfmTerminalProvider provider = new FfmTerminalProvider();
        try {
            Terminal terminal = provider.sysTerminal(
                    "xeno",
                    "dumb",
                    false,
                    StandardCharsets.UTF_8,
                    StandardCharsets.UTF_8,
                    StandardCharsets.UTF_8,
                    false,
                    Terminal.SignalHandler.SIG_DFL,
                    true,
                    SystemStream.Output);
            return new HostTerminal(provider, terminal);
        } catch (IOException e) {
            throw new CliException(ExitStatus.HOST, "cannot use this terminal: " + e.getMessage(), e);
        }
    }

    /** Every key goes to the reader as it is, none makes a signal; output is not changed either. */
    public synchronized void enterRaw() {
        if (raw) {
            return;
        }
        Runtime.getRuntime().addShutdownHook(hook);
        Attributes attributes = new Attributes(original);
        attributes.setLocalFlags(EnumSet.of(LocalFlag.ICANON, LocalFlag.ECHO, LocalFlag.ISIG, LocalFlag.IEXTEN), false);
        attributes.setInputFlags(
                EnumSet.of(
                        InputFlag.IXON,
                        InputFlag.ICRNL,
                        InputFlag.INLCR,
                        InputFlag.IGNCR,
                        InputFlag.ISTRIP,
                        InputFlag.INPCK,
                        InputFlag.BRKINT),
                false);
        attributes.setOutputFlag(OutputFlag.OPOST, false);
        attributes.setControlChar(ControlChar.VMIN, 1);
        attributes.setControlChar(ControlChar.VTIME, 0);
        terminal.setAttributes(attributes);
        raw = true;
    }

    /** The modes of before. Does no harm when called again. */
    public synchronized void restore() {
        if (raw) {
            terminal.setAttributes(original);
            raw = false;
        }
    }

    /** Height and width in characters, or 24 by 80 when the terminal does not know. */
    public int rows() {
        int rows = terminal.getSize().getRows();
        return rows > 0 ? rows : 24;
    }

    public int columns() {
        int columns = terminal.getSize().getColumns();
        return columns > 0 ? columns : 80;
    }

    /** Calls with columns and rows whenever the terminal's size changes. */
    public void onResize(BiConsumer<Integer, Integer> listener) {
        resizeRegistration = provider.registerSignal("WINCH", () -> {
            Size size = terminal.getSize();
            if (size.getColumns() > 0 && size.getRows() > 0) {
                listener.accept(size.getColumns(), size.getRows());
            }
        });
    }

    @Override
    public void close() {
        if (resizeRegistration != null) {
            provider.unregisterSignal("WINCH", resizeRegistration);
            resizeRegistration = null;
        }
        restore();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is going down; the hook runs or has run.
            return;
        }
    }
}
