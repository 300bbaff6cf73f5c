package org.xenolith.hypervisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.abi.DomainId;
import org.xenolith.abi.Errno;
import org.xenolith.abi.EventChannelOp;
import org.xenolith.abi.EventFifo;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.abi.SharedInfo;
import org.xenolith.abi.VcpuInfo;
import org.xenolith.abi.Virq;
import org.xenolith.hypervisor.events.HostPort;
import org.xenolith.memory.Raw;

class EventChannelTest {
    private static final long CONTROL = 0x10000;
    private static final long ARRAY = 0x11000;

    private final TestHost host = new TestHost();
    private final Domain domain = host.domain(1, 2);
    private final Vcpu vcpu = domain.vcpus().getFirst();

    @AfterEach
    void tearDown() {
        host.close();
    }

    private long op(Domain caller, int operation, int size, Consumer<ByteBuffer> fill) {
        long pointer = TestHost.struct(caller, size, fill);
        return TestHost.call(caller, HypercallNumber.EVENT_CHANNEL_OP, operation, pointer);
    }

    private long op(int operation, int size, Consumer<ByteBuffer> fill) {
        return op(domain, operation, size, fill);
    }

    private long port(int operation, int port) {
        return op(operation, 4, b -> b.putInt(0, port));
    }

    private int result(Domain caller, int offset) {
        return (int) TestHost.read(caller, TestHost.ARGUMENTS + offset, 4);
    }

    private int bindIpi(int target) {
        assertThat(op(EventChannelOp.BIND_IPI, 8, b -> b.putInt(0, target))).isZero();
        return result(domain, 4);
    }

    // Two levels.

    @Test
    void aSentEventSetsPendingBitSelectorAndUpcall() {
        int ipi = bindIpi(0);
        assertThat(port(EventChannelOp.SEND, ipi)).isZero();
        assertThat(TestHost.pendingBit(domain, ipi)).isTrue();
        assertThat(Raw.getLong(vcpu.vcpuInfo() + VcpuInfo.PENDING_SEL)).isEqualTo(1L << ipi / 64);
        assertThat(TestHost.takeUpcall(vcpu)).isTrue();
    }

    @Test
    void aMaskedEventIsRememberedAndAnnouncedWhenItIsUnmasked() {
        int ipi = bindIpi(0);
        TestHost.mask(domain, ipi);
        assertThat(port(EventChannelOp.SEND, ipi)).isZero();
        assertThat(TestHost.pendingBit(domain, ipi)).isTrue();
        assertThat(TestHost.takeUpcall(vcpu)).isFalse();
        assertThat(port(EventChannelOp.UNMASK, ipi)).isZero();
        assertThat(TestHost.takeUpcall(vcpu)).isTrue();
    }

    @Test
    void eventsGoToTheVirtualCpuThatTheyAreBoundTo() {
        int ipi = bindIpi(1);
        port(EventChannelOp.SEND, ipi);
        assertThat(TestHost.takeUpcall(vcpu)).isFalse();
        assertThat(TestHost.takeUpcall(domain.vcpus().get(1))).isTrue();
        assertThat(op(EventChannelOp.BIND_VCPU, 8, b -> b.putInt(0, ipi).putInt(4, 0)))
                .as("an IPI cannot be moved")
                .isEqualTo(-Errno.EINVAL);
        assertThat(op(EventChannelOp.BIND_IPI, 8, b -> b.putInt(0, 2))).isEqualTo(-Errno.ENOENT);
    }

    @Test
    void aVirtualInterruptIsBoundOnce() {
        assertThat(op(EventChannelOp.BIND_VIRQ, 12, b -> b.putInt(0, Virq.TIMER)))
                .isZero();
        int timer = result(domain, 8);
        assertThat(op(EventChannelOp.BIND_VIRQ, 12, b -> b.putInt(0, Virq.TIMER)))
                .isEqualTo(-Errno.EEXIST);
        assertThat(op(EventChannelOp.BIND_VIRQ, 12, b -> b.putInt(0, Virq.TIMER).putInt(4, 1)))
                .as("each virtual CPU has its own timer")
                .isZero();
        assertThat(op(
                        EventChannelOp.BIND_VIRQ,
                        12,
                        b -> b.putInt(0, Virq.CONSOLE).putInt(4, 1)))
                .as("a global one starts on virtual CPU 0")
                .isEqualTo(-Errno.EINVAL);
        assertThat(op(EventChannelOp.BIND_VIRQ, 12, b -> b.putInt(0, Virq.COUNT)))
                .isEqualTo(-Errno.EINVAL);
        domain.eventChannels().raiseVirq(vcpu, Virq.TIMER);
        assertThat(TestHost.pendingBit(domain, timer)).isTrue();
        assertThat(port(EventChannelOp.CLOSE, timer)).isZero();
        assertThat(TestHost.pendingBit(domain, timer)).isFalse();
        assertThat(op(EventChannelOp.BIND_VIRQ, 12, b -> b.putInt(0, Virq.TIMER)))
                .isZero();
    }

    @Test
    void aClosedPortIsNoMore() {
        int ipi = bindIpi(0);
        assertThat(port(EventChannelOp.CLOSE, ipi)).isZero();
        for (int operation : new int[] {EventChannelOp.CLOSE, EventChannelOp.SEND, EventChannelOp.UNMASK}) {
            long unused = operation == EventChannelOp.UNMASK ? 0 : -Errno.EINVAL;
            assertThat(port(operation, ipi)).isEqualTo(unused);
            assertThat(port(operation, 0)).isEqualTo(unused);
            assertThat(port(operation, -1)).isEqualTo(-Errno.EINVAL);
            assertThat(port(operation, Integer.MAX_VALUE)).isEqualTo(-Errno.EINVAL);
        }
        assertThat(op(
                        EventChannelOp.STATUS,
                        24,
                        b -> b.putShort(0, (short) DomainId.SELF).putInt(4, ipi)))
                .isZero();
        assertThat(result(domain, 8)).isEqualTo(EventChannelOp.STATUS_CLOSED);
    }

    @Test
    void portsRunOutAtTheLimit() {
        for (int i = 1; i <= DomainSettings.DEFAULT_EVENT_CHANNELS; i++) {
            assertThat(bindIpi(0)).isEqualTo(i);
        }
        assertThat(op(EventChannelOp.BIND_IPI, 8, b -> {})).isEqualTo(-Errno.ENOSPC);
    }

    @Test
    void portsAreValidInBucketsAndOnlyTheDomainItselfMayLook() {
        Domain other = host.domain(2, 1);
        bindIpi(0);
        assertThat(op(
                        EventChannelOp.STATUS,
                        24,
                        b -> b.putShort(0, (short) DomainId.SELF).putInt(4, 63)))
                .isZero();
        assertThat(op(
                        EventChannelOp.STATUS,
                        24,
                        b -> b.putShort(0, (short) DomainId.SELF).putInt(4, 64)))
                .isEqualTo(-Errno.EINVAL);
        assertThat(op(
                        other,
                        EventChannelOp.STATUS,
                        24,
                        b -> b.putShort(0, (short) 1).putInt(4, 1)))
                .isEqualTo(-Errno.EPERM);
        assertThat(op(
                        other,
                        EventChannelOp.STATUS,
                        24,
                        b -> b.putShort(0, (short) 9).putInt(4, 1)))
                .isEqualTo(-Errno.ESRCH);
        assertThat(op(other, EventChannelOp.ALLOC_UNBOUND, 8, b -> b.putShort(0, (short) 1)))
                .isEqualTo(-Errno.EPERM);
        assertThat(op(other, EventChannelOp.RESET, 2, b -> b.putShort(0, (short) 1)))
                .isEqualTo(-Errno.EPERM);
        assertThat(op(EventChannelOp.RESET_CONT, 2, b -> b.putShort(0, (short) DomainId.SELF)))
                .as("nothing to continue")
                .isEqualTo(-Errno.EBUSY);
    }

    @Test
    void aDomainConnectsTwoPortsOfItsOwn() {
        int first = domain.eventChannels().allocUnbound(DomainId.SELF);
        assertThat(op(
                        EventChannelOp.BIND_INTERDOMAIN,
                        12,
                        b -> b.putShort(0, (short) DomainId.SELF).putInt(4, first)))
                .isZero();
        int second = result(domain, 8);
        port(EventChannelOp.SEND, second);
        assertThat(TestHost.pendingBit(domain, first)).isTrue();
        assertThat(port(EventChannelOp.CLOSE, first)).isZero();
        op(EventChannelOp.STATUS, 24, b -> b.putShort(0, (short) DomainId.SELF).putInt(4, second));
        assertThat(result(domain, 8)).isEqualTo(EventChannelOp.STATUS_UNBOUND);
        assertThat(port(EventChannelOp.CLOSE, second)).isZero();
    }

    @Test
    void anOfferThatIsConnectedCannotBeTakenTwiceAndAFailedBindTakesNoPort() {
        Domain other = host.domain(2, 1);
        int mine = domain.eventChannels().allocUnbound(2);
        int theirs = other.eventChannels().bindInterdomain(domain, mine);
        assertThat(op(
                        other,
                        EventChannelOp.BIND_INTERDOMAIN,
                        12,
                        b -> b.putShort(0, (short) 1).putInt(4, mine)))
                .isEqualTo(-Errno.EINVAL);
        assertThat(op(
                        other,
                        EventChannelOp.BIND_INTERDOMAIN,
                        12,
                        b -> b.putShort(0, (short) 1).putInt(4, 1 << 20)))
                .isEqualTo(-Errno.EINVAL);
        assertThat(other.eventChannels().allocUnbound(0)).isEqualTo(theirs + 1);
        assertThat(op(
                        other,
                        EventChannelOp.STATUS,
                        24,
                        b -> b.putShort(0, (short) DomainId.SELF).putInt(4, theirs)))
                .isZero();
        assertThat(result(other, 16) & 0xffff).isEqualTo(1);
        assertThat(result(other, 20)).isEqualTo(mine);
    }

    @Test
    void aDomainThatDiesLeavesItsPeersWithUnboundPorts() {
        Domain other = host.domain(2, 1);
        int mine = domain.eventChannels().allocUnbound(2);
        other.eventChannels().bindInterdomain(domain, mine);
        other.destroy();
        op(EventChannelOp.STATUS, 24, b -> b.putShort(0, (short) DomainId.SELF).putInt(4, mine));
        assertThat(result(domain, 8)).isEqualTo(EventChannelOp.STATUS_UNBOUND);
        assertThat(port(EventChannelOp.SEND, mine)).isZero();
        assertThatThrownBy(() -> other.eventChannels().allocUnbound(0)).isInstanceOf(HypercallException.class);
    }

    @Test
    void aGlobalVirtualInterruptMovesAndAnIndividualOneDoesNot() {
        op(EventChannelOp.BIND_VIRQ, 12, b -> b.putInt(0, Virq.CONSOLE));
        int console = result(domain, 8);
        op(EventChannelOp.BIND_VIRQ, 12, b -> b.putInt(0, Virq.TIMER).putInt(4, 1));
        int timer = result(domain, 8);
        assertThat(op(EventChannelOp.BIND_VCPU, 8, b -> b.putInt(0, console).putInt(4, 1)))
                .isZero();
        assertThat(op(EventChannelOp.BIND_VCPU, 8, b -> b.putInt(0, timer).putInt(4, 0)))
                .isEqualTo(-Errno.EINVAL);
        assertThat(op(EventChannelOp.BIND_VCPU, 8, b -> b.putInt(0, console).putInt(4, 2)))
                .isEqualTo(-Errno.ENOENT);
        assertThat(port(EventChannelOp.CLOSE, console)).isZero();
        assertThat(op(EventChannelOp.BIND_VIRQ, 12, b -> b.putInt(0, Virq.CONSOLE)))
                .as("it may be bound again, although it was moved")
                .isZero();
        assertThat(port(EventChannelOp.SEND, timer)).as("nobody sends these").isEqualTo(-Errno.EINVAL);
    }

    @Test
    void aFreedFifoPortIsNotGivenOutWhileItIsInAQueue() {
        useFifo();
        int ipi = bindIpi(0);
        port(EventChannelOp.UNMASK, ipi);
        port(EventChannelOp.SEND, ipi);
        assertThat(port(EventChannelOp.CLOSE, ipi)).isZero();
        assertThat(bindIpi(0)).isNotEqualTo(ipi);
        TestHost.write(domain, ARRAY + ipi * 4L, 4, 0);
        assertThat(bindIpi(0)).isEqualTo(ipi);
    }

    @Test
    void twoDomainsTalkThroughAChannel() {
        Domain other = host.domain(2, 1);
        assertThat(op(
                        EventChannelOp.ALLOC_UNBOUND,
                        8,
                        b -> b.putShort(0, (short) DomainId.SELF).putShort(2, (short) 2)))
                .isZero();
        int mine = result(domain, 4);
        assertThat(op(
                        other,
                        EventChannelOp.BIND_INTERDOMAIN,
                        12,
                        b -> b.putShort(0, (short) 1).putInt(4, mine)))
                .isZero();
        int theirs = result(other, 8);
        Vcpu far = other.vcpus().getFirst();
        assertThat(TestHost.takeUpcall(far))
                .as("binding raises the new port once")
                .isTrue();
        port(EventChannelOp.SEND, mine);
        assertThat(TestHost.pendingBit(other, theirs)).isTrue();
        op(other, EventChannelOp.SEND, 4, b -> b.putInt(0, theirs));
        assertThat(TestHost.pendingBit(domain, mine)).isTrue();

        assertThat(op(other, EventChannelOp.CLOSE, 4, b -> b.putInt(0, theirs))).isZero();
        op(EventChannelOp.STATUS, 24, b -> b.putShort(0, (short) DomainId.SELF).putInt(4, mine));
        assertThat(result(domain, 8)).isEqualTo(EventChannelOp.STATUS_UNBOUND);
        assertThat(result(domain, 16) & 0xffff).isEqualTo(2);
        assertThat(port(EventChannelOp.SEND, mine)).as("to nobody").isZero();
    }

    @Test
    void nobodyBindsAPortThatWasOfferedToSomebodyElse() {
        Domain other = host.domain(2, 1);
        int mine = domain.eventChannels().allocUnbound(7);
        assertThat(op(
                        other,
                        EventChannelOp.BIND_INTERDOMAIN,
                        12,
                        b -> b.putShort(0, (short) 1).putInt(4, mine)))
                .isEqualTo(-Errno.EINVAL);
        assertThat(op(
                        other,
                        EventChannelOp.BIND_INTERDOMAIN,
                        12,
                        b -> b.putShort(0, (short) 99).putInt(4, mine)))
                .isEqualTo(-Errno.ESRCH);
    }

    @Test
    void aServiceHoldsTheOtherEnd() {
        AtomicInteger notified = new AtomicInteger();
        int mine = domain.eventChannels().allocUnbound(0);
        HostPort service = domain.eventChannels().bindHost(mine, notified::incrementAndGet);
        port(EventChannelOp.SEND, mine);
        assertThat(notified).hasValue(1);
        service.notifyGuest();
        assertThat(TestHost.pendingBit(domain, mine)).isTrue();
        op(EventChannelOp.STATUS, 24, b -> b.putShort(0, (short) DomainId.SELF).putInt(4, mine));
        assertThat(result(domain, 8)).isEqualTo(EventChannelOp.STATUS_INTERDOMAIN);
        assertThatThrownBy(() -> domain.eventChannels().bindHost(mine, () -> {}))
                .isInstanceOf(IllegalArgumentException.class);
        port(EventChannelOp.CLOSE, mine);
        assertThat(service.isConnected()).isFalse();
        service.notifyGuest();
        assertThat(TestHost.pendingBit(domain, mine)).isFalse();
    }

    @Test
    void moreThanOneVirtualCpuInfoCanBeRegisteredButEachOnlyOnce() {
        long pointer = TestHost.struct(domain, 16, b -> b.putLong(0, 0x20).putInt(8, 128));
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, 10, 0, pointer))
                .isZero();
        assertThat(vcpu.vcpuInfo()).isEqualTo(TestHost.host(domain, 0x20080));
        assertThat(TestHost.read(domain, 0x20080, 1)).as("nothing gets lost").isEqualTo(1);
        assertThat(TestHost.read(domain, 0x20080 + VcpuInfo.TIME + 24, 4)).isEqualTo(0x80000000L);
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, 10, 0, pointer))
                .isEqualTo(-Errno.EINVAL);
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, 10, 2, pointer))
                .isEqualTo(-Errno.ENOENT);
        TestHost.struct(domain, 16, b -> b.putLong(0, 0x20).putInt(8, 4096 - 32));
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, 10, 1, pointer))
                .isEqualTo(-Errno.ENXIO);
        TestHost.struct(domain, 16, b -> b.putLong(0, 1L << 30).putInt(8, 0));
        assertThat(TestHost.call(domain, HypercallNumber.VCPU_OP, 10, 1, pointer))
                .isEqualTo(-Errno.EINVAL);
    }

    // FIFO.

    private long initControl(int target, long gfn, int offset) {
        return op(
                EventChannelOp.INIT_CONTROL,
                24,
                b -> b.putLong(0, gfn).putInt(8, offset).putInt(12, target));
    }

    private void useFifo() {
        assertThat(initControl(0, CONTROL >>> 12, 0)).isZero();
        assertThat(TestHost.read(domain, TestHost.ARGUMENTS + 16, 1)).isEqualTo(17);
        assertThat(initControl(1, CONTROL >>> 12, 128)).isZero();
        for (int i = 0; i < 1024; i++) {
            TestHost.write(domain, ARRAY + i * 4, 4, EventFifo.MASKED & 0xffffffffL);
        }
        assertThat(op(EventChannelOp.EXPAND_ARRAY, 8, b -> b.putLong(0, ARRAY >>> 12)))
                .isZero();
    }

    /** What a guest does with one queue: takes the head, follows its link. Returns the port, or 0. */
    private int consume(int target, int priority) {
        long control = TestHost.host(domain, CONTROL + target * 128);
        int[] heads = target == 0 ? heads0 : heads1;
        int head = heads[priority];
        if (head == 0) {
            int ready = Raw.getAndAndInt(control, ~(1 << priority));
            if ((ready & 1 << priority) == 0) {
                return 0;
            }
            head = Raw.getIntVolatile(control + 8 + priority * 4L);
        }
        long word = TestHost.host(domain, ARRAY + head * 4L);
        int old;
        do {
            old = Raw.getIntVolatile(word);
        } while (!Raw.compareAndSetInt(word, old, old & ~(EventFifo.LINKED | EventFifo.LINK_MASK)));
        heads[priority] = old & EventFifo.LINK_MASK;
        if ((old & EventFifo.PENDING) != 0 && (old & EventFifo.MASKED) == 0) {
            Raw.getAndAndInt(word, ~EventFifo.PENDING);
            return head;
        }
        return consume(target, priority);
    }

    private final int[] heads0 = new int[16];
    private final int[] heads1 = new int[16];

    @Test
    void fifoEventsComeInTheOrderInWhichTheyWereRaised() {
        useFifo();
        int a = bindIpi(0);
        int b = bindIpi(0);
        int c = bindIpi(0);
        for (int port : new int[] {a, b, c}) {
            port(EventChannelOp.UNMASK, port);
        }
        for (int port : new int[] {c, a, b, a}) {
            port(EventChannelOp.SEND, port);
        }
        assertThat(TestHost.takeUpcall(vcpu)).isTrue();
        List<Integer> seen = new ArrayList<>();
        for (int port = consume(0, 7); port != 0; port = consume(0, 7)) {
            seen.add(port);
        }
        assertThat(seen).containsExactly(c, a, b);
        assertThat(TestHost.takeUpcall(vcpu)).isFalse();
        port(EventChannelOp.SEND, b);
        assertThat(TestHost.takeUpcall(vcpu)).isTrue();
        assertThat(consume(0, 7)).isEqualTo(b);
    }

    @Test
    void aFifoPortGoesToTheQueueOfItsPriority() {
        useFifo();
        int port = bindIpi(0);
        assertThat(op(EventChannelOp.SET_PRIORITY, 8, b -> b.putInt(0, port).putInt(4, 3)))
                .isZero();
        assertThat(op(EventChannelOp.SET_PRIORITY, 8, b -> b.putInt(0, port).putInt(4, 16)))
                .isEqualTo(-Errno.EINVAL);
        port(EventChannelOp.UNMASK, port);
        port(EventChannelOp.SEND, port);
        assertThat(consume(0, 7)).isZero();
        assertThat(consume(0, 3)).isEqualTo(port);
    }

    @Test
    void twoLevelsHaveNoPriorities() {
        int port = bindIpi(0);
        assertThat(op(EventChannelOp.SET_PRIORITY, 8, b -> b.putInt(0, port).putInt(4, 3)))
                .isEqualTo(-Errno.ENOSYS);
        assertThat(op(EventChannelOp.EXPAND_ARRAY, 8, b -> b.putLong(0, ARRAY >>> 12)))
                .isEqualTo(-Errno.EOPNOTSUPP);
    }

    @Test
    void anEventRaisedBeforeItsArrayPageExistsIsNotLost() {
        assertThat(initControl(0, CONTROL >>> 12, 0)).isZero();
        int port = bindIpi(0);
        port(EventChannelOp.SEND, port);
        assertThat(op(EventChannelOp.EXPAND_ARRAY, 8, b -> b.putLong(0, ARRAY >>> 12)))
                .isZero();
        assertThat(consume(0, 7)).isEqualTo(port);
    }

    @Test
    void eventsThatArePendingWhenTheAbiChangesAreNotLost() {
        int port = bindIpi(0);
        port(EventChannelOp.SEND, port);
        useFifo();
        port(EventChannelOp.UNMASK, port);
        assertThat(consume(0, 7)).isEqualTo(port);
    }

    @Test
    void badControlBlocksAreRefused() {
        assertThat(initControl(0, CONTROL >>> 12, 4)).isEqualTo(-Errno.EINVAL);
        assertThat(initControl(0, CONTROL >>> 12, 4096 - 64)).isEqualTo(-Errno.EINVAL);
        assertThat(initControl(0, 1L << 32, 0)).isEqualTo(-Errno.EINVAL);
        assertThat(initControl(0, -1, 0)).isEqualTo(-Errno.EINVAL);
        assertThat(initControl(5, CONTROL >>> 12, 0)).isEqualTo(-Errno.ENOENT);
        assertThat(domain.eventChannels().isFifo()).isFalse();
        assertThat(initControl(0, CONTROL >>> 12, 0)).isZero();
        assertThat(initControl(0, CONTROL >>> 12, 0)).isEqualTo(-Errno.EINVAL);
    }

    @Test
    void theArrayHasAtMost128Pages() {
        assertThat(initControl(0, CONTROL >>> 12, 0)).isZero();
        for (int i = 0; i < 128; i++) {
            long gfn = 0x100 + i;
            assertThat(op(EventChannelOp.EXPAND_ARRAY, 8, b -> b.putLong(0, gfn)))
                    .isZero();
        }
        assertThat(op(EventChannelOp.EXPAND_ARRAY, 8, b -> b.putLong(0, 0x200))).isEqualTo(-Errno.ENOSPC);
    }

    @Test
    void aHostileGuestThatScramblesItsArrayHurtsOnlyItself() {
        useFifo();
        long seed = System.nanoTime();
        System.out.println("seed " + seed);
        Random random = new Random(seed);
        int[] ports = new int[40];
        for (int i = 0; i < ports.length; i++) {
            ports[i] = bindIpi(i & 1);
            port(EventChannelOp.UNMASK, ports[i]);
        }
        for (int i = 0; i < 20_000; i++) {
            long word = TestHost.host(domain, ARRAY + random.nextInt(1024) * 4L);
            switch (random.nextInt(4)) {
                case 0 -> Raw.putInt(word, random.nextInt());
                case 1 -> Raw.putInt(TestHost.host(domain, CONTROL + random.nextInt(64) * 4L), random.nextInt());
                case 2 -> port(EventChannelOp.UNMASK, ports[random.nextInt(ports.length)]);
                default ->
                    assertThat(port(EventChannelOp.SEND, ports[random.nextInt(ports.length)]))
                            .isZero();
            }
        }
    }

    @Test
    void frequentEventsFromAnotherThreadAreAllSeen() throws InterruptedException {
        useFifo();
        int[] ports = new int[8];
        HostPort[] services = new HostPort[ports.length];
        for (int i = 0; i < ports.length; i++) {
            ports[i] = domain.eventChannels().allocUnbound(0);
            services[i] = domain.eventChannels().bindHost(ports[i], () -> {});
            port(EventChannelOp.UNMASK, ports[i]);
        }
        int rounds = 20_000;
        AtomicInteger acknowledged = new AtomicInteger(ports.length);
        Thread sender = new Thread(() -> {
            for (int i = 0; i < rounds; i++) {
                // Each event is consumed before the next is raised on the same port, so none may be merged.
                while (acknowledged.get() == 0) {
                    Thread.onSpinWait();
                }
                acknowledged.decrementAndGet();
                services[i % ports.length].notifyGuest();
            }
        });
        sender.start();
        int seen = 0;
        long end = System.nanoTime() + 20_000_000_000L;
        int expected = 0;
        while (seen < rounds && System.nanoTime() < end) {
            int port = consume(0, 7);
            if (port != 0) {
                assertThat(port).isEqualTo(ports[expected++ % ports.length]);
                seen++;
                acknowledged.incrementAndGet();
            }
        }
        sender.join(1000);
        assertThat(seen).isEqualTo(rounds);
    }

    @Test
    void aResetGoesBackToTwoLevels() {
        useFifo();
        int port = bindIpi(0);
        assertThat(op(EventChannelOp.RESET, 2, b -> b.putShort(0, (short) DomainId.SELF)))
                .isZero();
        assertThat(domain.eventChannels().isFifo()).isFalse();
        assertThat(port(EventChannelOp.SEND, port)).isEqualTo(-Errno.EINVAL);
        int again = bindIpi(0);
        port(EventChannelOp.SEND, again);
        assertThat(TestHost.pendingBit(domain, again)).isTrue();
    }

    @Test
    void aControlBlockWhoseFrameTheGuestGaveAwayStaysOurs() {
        useFifo();
        long frame = TestHost.host(domain, CONTROL);
        assertThat(domain.memory().remove(CONTROL >>> 12)).isTrue();
        int port = bindIpi(0);
        port(EventChannelOp.UNMASK, port);
        port(EventChannelOp.SEND, port);
        assertThat(Raw.getInt(frame + 8 + 7 * 4)).isEqualTo(port);
        int fresh = host.machine.allocateFrame();
        assertThat(host.machine.address(fresh)).isNotEqualTo(frame);
        host.machine.release(fresh, 1);
    }

    @Test
    void theSharedPendingBitsAreWhereTheAbiSays() {
        int port = 0;
        while (port < 70) {
            port = bindIpi(0);
        }
        port(EventChannelOp.SEND, port);
        assertThat(Raw.getLong(domain.sharedInfo() + SharedInfo.EVTCHN_PENDING + 8))
                .isEqualTo(1L << 70 - 64);
        assertThat(Raw.getLong(vcpu.vcpuInfo() + VcpuInfo.PENDING_SEL)).isEqualTo(2);
    }
}
