package org.xenolith.daemon;

import java.util.List;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command;
import org.xenolith.toolstack.Domain;

/**
 * The CPU scheduler as {@code sched-credit2}, {@code sched-rtds} and {@code cpupool-*} need it. {@link #NONE} stands for a host whose
 * virtual CPUs the operating system schedules.
 */
interface SchedulerControl {
    /** Refuses everything with one line. */
    SchedulerControl NONE = new SchedulerControl() {
        @Override
        public List<Answer.SchedulingEntry> scheduling(List<Domain> domains) throws HostException {
            throw unsupported();
        }

        @Override
        public void setCredit(Domain domain, Command.SetCredit command) throws HostException {
            throw unsupported();
        }

        @Override
        public void setReservation(Domain domain, Command.SetReservation command) throws HostException {
            throw unsupported();
        }

        @Override
        public void setRateLimit(Command.SetRateLimit command) throws HostException {
            throw unsupported();
        }

        @Override
        public void pin(Domain domain, Command.Pin command) throws HostException {
            throw unsupported();
        }

        @Override
        public List<Answer.Pool> pools() throws HostException {
            throw unsupported();
        }

        @Override
        public void changePools(Command<Answer.Done> command) throws HostException {
            throw unsupported();
        }

        @Override
        public void move(Domain domain, String pool) throws HostException {
            throw unsupported();
        }

        private HostException unsupported() {
            return new HostException(
                    Answer.Reason.UNSUPPORTED,
                    "this host has no CPU scheduler of its own yet: the operating system schedules the virtual CPUs, without"
                            + " weights, affinities and pools");
        }
    };

    List<Answer.SchedulingEntry> scheduling(List<Domain> domains) throws HostException;

    void setCredit(Domain domain, Command.SetCredit command) throws HostException;

    void setReservation(Domain domain, Command.SetReservation command) throws HostException;

    void setRateLimit(Command.SetRateLimit command) throws HostException;

    void pin(Domain domain, Command.Pin command) throws HostException;

    List<Answer.Pool> pools() throws HostException;

    /** {@link Command.CreatePool}, {@link Command.DestroyPool}, {@link Command.RenamePool}, {@link Command.ChangePoolCpus}, {@link Command.SplitPools}. */
    void changePools(Command<Answer.Done> command) throws HostException;

    void move(Domain domain, String pool) throws HostException;
}
