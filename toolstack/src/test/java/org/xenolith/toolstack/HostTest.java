package org.xenolith.toolstack;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.abi.DumpCore;
import org.xenolith.abi.GrantTableOp;
import org.xenolith.abi.VcpuGuestContext;
import org.xenolith.hypervisor.DomainMemory;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.MachineMemoryException;
import org.xenolith.memory.PhysicalToMachine;
import org.xenolith.memory.Raw;
import org.xenolith.services.builder.DomainBuildException;

@Timeout(120)
class HostTest {
    private static final long MIB = 1 << 20;

    /** Writes to each page from 2 to 64 MiB, and spins. */
    private static final String TOUCH_64_MIB = "bf00002000 893f 81c700100000 81ff00000004 72f0 ebfe";

    /** Writes to each page from 2 to 8 MiB, and spins. */
    private static final String TOUCH_8_MIB = "bf00002000 893f 81c700100000 81ff00008000 72f0 ebfe";

    @TempDir
    private Path directory;

    private final List<DomainEvent> events = Collections.synchronizedList(new ArrayList<>());
    private Host host;

    private Host host(long mib) {
        host = Host.create(HostConfig.DEFAULT.withMemory(mib * MIB).withDumpDirectory(directory.resolve("dumps")));
        host.addListener(events::add);
        return host;
    }

    @AfterEach
    void close() {
        if (host != null) {
            host.close();
        }
    }

    private DomainConfig.Builder config(String name, String code) throws IOException {
        Path kernel = TinyKernel.write(Files.createTempDirectory(directory, "kernel"), code);
        return DomainConfig.of(kernel).name(name).memoryBytes(16 * MIB);
    }

    private Domain spinning(String name) throws Exception {
        return host.create(config(name, TinyKernel.SPIN).build());
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        while (!condition.getAsBoolean()) {
            Thread.sleep(1);
        }
    }

    private <T extends DomainEvent> T awaitEvent(Class<T> type) throws InterruptedException {
        await(() -> events.stream().anyMatch(type::isInstance));
        return type.cast(events.stream().filter(type::isInstance).findFirst().orElseThrow());
    }

    // Registry.

    @Test
    void identifiersCountOnAndAreNotReused() throws Exception {
        host(128);
        Domain first = spinning("a");
        Domain second = spinning("b");
        assertThat(first.id()).isEqualTo(1);
        first.destroy();
        assertThat(spinning("c").id()).isEqualTo(3);
        assertThat(host.domains()).extracting(Domain::name).containsExactly("b", "c");
        assertThat(host.find("2")).contains(second);
        assertThat(host.find("b")).contains(second);
        assertThat(host.find(second.uuid().toString())).contains(second);
        assertThat(host.find("1")).isEmpty();
        assertThat(host.find("a")).isEmpty();
        assertThat(host.find("")).isEmpty();
    }

    @Test
    void namesAndUuidsAreUnique() throws Exception {
        host(128);
        Domain domain = spinning("a");
        assertThatThrownBy(() -> spinning("a"))
                .isInstanceOf(DomainBuildException.class)
                .hasMessage("there is a domain named a already");
        assertThatThrownBy(() -> host.create(
                        config("b", TinyKernel.SPIN).uuid(domain.uuid()).build()))
                .isInstanceOf(DomainBuildException.class)
                .hasMessageContaining(domain.uuid().toString());
        Domain other = spinning("b");
        assertThatThrownBy(() -> other.rename("a")).isInstanceOf(IllegalArgumentException.class);
        other.rename("c");
        assertThat(host.domain("b")).isEmpty();
        assertThat(host.domain("c")).contains(other);
        assertThat(host.store().read("/local/domain/" + other.id() + "/name")).isEqualTo("c");
        assertThat(awaitEvent(DomainEvent.Renamed.class).oldName()).isEqualTo("b");
        for (String wrong : List.of("", "17", "a/b", "a\nb")) {
            assertThatThrownBy(() -> other.rename(wrong)).isInstanceOf(IllegalArgumentException.class);
        }
        domain.destroy();
        other.rename("a");
    }

    @Test
    void aDomainThatCannotBeBuiltLeavesNothingBehind() throws Exception {
        host(64);
        Path notAKernel = Files.writeString(directory.resolve("text"), "text");
        assertThatThrownBy(() -> host.create(DomainConfig.of(notAKernel)
                        .name("a")
                        .memoryBytes(16 * MIB)
                        .build()))
                .isInstanceOf(IOException.class);
        assertThatThrownBy(() -> host.create(
                        config("a", TinyKernel.SPIN).type(GuestType.HVM).build()))
                .isInstanceOf(DomainBuildException.class)
                .hasMessageContaining("hvm");
        assertThatThrownBy(() -> host.create(
                        config("a", TinyKernel.SPIN).ramdisk(new byte[17 << 20]).build()))
                .isInstanceOf(DomainBuildException.class);
        assertThat(host.info().freeBytes()).isEqualTo(64 * MIB);
        assertThat(host.info().claimedBytes()).isZero();
        assertThat(host.store().list("/local/domain")).containsExactly("0");
        spinning("a");
    }

    // Life.

    @Test
    void flagsAndStatesFollowTheLife() throws Exception {
        host(64);
        Domain domain = spinning("a");
        assertThat(domain.info().flags()).isEqualTo("--p---");
        assertThat(domain.state()).isEqualTo(DomainState.CREATED);
        assertThat(domain.info().started()).isEmpty();
        domain.unpause();
        assertThat(domain.state()).isEqualTo(DomainState.RUNNING);
        await(() -> domain.info().flags().equals("r-----"));
        assertThatThrownBy(domain::unpause).isInstanceOf(IllegalStateException.class);
        domain.pause();
        domain.pause();
        domain.unpause();
        assertThat(domain.info().flags()).isEqualTo("--p---");
        domain.unpause();
        assertThat(domain.state()).isEqualTo(DomainState.RUNNING);
        DomainInfo info = domain.info();
        assertThat(info.vcpus()).hasSize(1);
        assertThat(info.onlineVcpus()).isEqualTo(1);
        assertThat(info.cpuTime()).isPositive();
        assertThat(info.memoryBytes()).isBetween(16 * MIB, 17 * MIB);
        assertThat(info.targetBytes()).isEqualTo(16 * MIB);
        domain.destroy();
        assertThat(domain.state()).isEqualTo(DomainState.DESTROYED);
        assertThat(domain.info().memoryBytes()).isZero();
        assertThat(domain.info().vcpus()).isEmpty();
        assertThatThrownBy(domain::pause)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("it is gone");
        assertThat(domain.await()).isInstanceOf(DomainOutcome.Destroyed.class);
        awaitEvent(DomainEvent.Destroyed.class);
        assertThat(events.stream().map(event -> event.getClass().getSimpleName()))
                .containsExactly("Created", "Started", "Paused", "Unpaused", "Destroyed");
    }

    @Test
    void aGuestThatIsPreservedStaysUntilItIsDestroyed() throws Exception {
        host(64);
        Domain domain = host.create(
                config("a", TinyKernel.PANIC).actions(LifecycleActions.PRESERVE).build());
        domain.start();
        assertThat(domain.await()).isInstanceOf(DomainOutcome.Panic.class);
        assertThat(domain.info().flags()).isEqualTo("---sc-");
        assertThat(host.domains()).containsExactly(domain);
        assertThatThrownBy(domain::requestShutdown)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("its guest has ended");
        assertThat(awaitEvent(DomainEvent.Crashed.class).action()).isEqualTo(LifecycleAction.PRESERVE);
        domain.destroy();
        assertThat(host.domains()).isEmpty();
        assertThat(domain.await()).isInstanceOf(DomainOutcome.Panic.class);
    }

    @Test
    void aGuestThatIsStartedAgainKeepsItsNameAndUuidAndGetsAnotherIdentifier() throws Exception {
        host(64);
        Domain domain = host.create(config("a", TinyKernel.PANIC)
                .actions(LifecycleActions.DEFAULT.withCrash(LifecycleAction.RESTART))
                .build());
        UUID uuid = domain.uuid();
        domain.start();
        DomainEvent.Restarted restarted = awaitEvent(DomainEvent.Restarted.class);
        assertThat(restarted.oldId()).isEqualTo(1);
        assertThat(restarted.id()).isEqualTo(2);
        assertThat(restarted.domain()).isSameAs(domain);
        assertThat(domain.uuid()).isEqualTo(uuid);
        assertThat(host.store().exists("/local/domain/1")).isFalse();
        domain.destroy();
        assertThat(host.info().freeBytes()).isEqualTo(64 * MIB);
    }

    @Test
    void renameRestartKeepsTheOldGuestUnderAnotherName() throws Exception {
        host(64);
        Domain domain = host.create(config("a", TinyKernel.SPIN)
                .actions(LifecycleActions.DEFAULT.withReboot(LifecycleAction.RENAME_RESTART))
                .build());
        UUID uuid = domain.uuid();
        domain.start();
        domain.trigger(Trigger.RESET, 0);
        awaitEvent(DomainEvent.Restarted.class);
        assertThat(host.domains()).hasSize(2);
        Domain old = host.domain(1).orElseThrow();
        assertThat(old.name()).matches("a-\\d{8}T\\d{6}Z");
        assertThat(old.uuid()).isNotEqualTo(uuid);
        assertThat(old.info().flags()).isEqualTo("---s--");
        assertThat(old.await()).isInstanceOf(DomainOutcome.Reboot.class);
        assertThat(host.store().read("/local/domain/1/name")).isEqualTo(old.name());
        assertThat(host.store().read("/local/domain/1/vm")).isEqualTo("/vm/" + old.uuid());
        assertThat(domain.id()).isEqualTo(2);
        assertThat(host.store().read("/vm/" + uuid + "/name")).isEqualTo("a");
        old.destroy();
        assertThat(host.domains()).containsExactly(domain);
        assertThat(domain.state()).isEqualTo(DomainState.RUNNING);
    }

    @Test
    void aGuestThatCannotBeStartedAgainIsGoneAndSaysWhy() throws Exception {
        host(64);
        DomainConfig config = config("a", TinyKernel.SPIN).build();
        Domain domain = host.create(config);
        domain.start();
        Files.delete(config.kernel());
        domain.trigger(Trigger.RESET, 0);
        assertThat(awaitEvent(DomainEvent.RestartFailed.class).message()).contains("kernel.elf");
        assertThat(domain.await()).isInstanceOf(DomainOutcome.Reboot.class);
        assertThat(host.domains()).isEmpty();
        assertThat(host.log()).contains("cannot restart domain a");
    }

    @Test
    void aTriggeredNmiReachesTheGuest() throws Exception {
        host(64);
        Domain domain = host.create(
                config("a", TinyKernel.SPIN).actions(LifecycleActions.PRESERVE).build());
        domain.start();
        assertThatThrownBy(() -> domain.trigger(Trigger.NMI, 1)).isInstanceOf(IllegalArgumentException.class);
        // It has no handler for it, nor for what follows from that.
        domain.trigger(Trigger.NMI, 0);
        assertThat(domain.await())
                .isInstanceOfSatisfying(
                        DomainOutcome.Crash.class,
                        crash -> assertThat(crash.reason()).startsWith("triple fault"));
    }

    @Test
    void whatTheGuestIsAskedIsWrittenToXenstore() throws Exception {
        host(64);
        Domain domain =
                host.create(config("a", TinyKernel.SPIN).vcpus(1).maxVcpus(3).build());
        domain.start();
        String home = "/local/domain/1/";
        assertThat(domain.storePath() + "/").isEqualTo(home);
        assertThat(host.store().read(home + "cpu/0/availability")).isEqualTo("online");
        assertThat(host.store().read(home + "cpu/1/availability")).isEqualTo("offline");
        domain.setVcpus(2);
        assertThat(host.store().read(home + "cpu/1/availability")).isEqualTo("online");
        assertThat(host.store().read(home + "cpu/2/availability")).isEqualTo("offline");
        assertThatThrownBy(() -> domain.setVcpus(4))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1 to 3");
        domain.sysrq('h');
        assertThat(host.store().read(home + "control/sysrq")).isEqualTo("h");
        domain.requestShutdown(ShutdownRequest.HALT);
        assertThat(host.store().read(home + "control/shutdown")).isEqualTo("halt");
        assertThat(domain.understandsShutdown()).isFalse();
        domain.reboot();
        assertThat(host.store().read(home + "control/shutdown")).isEqualTo("reboot");
    }

    @Test
    void watchersHearOfDomainsThatComeAndGo() throws Exception {
        host(64);
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        host.store().watch("@introduceDomain", heard::add);
        host.store().watch("@releaseDomain", heard::add);
        heard.clear();
        Domain domain = spinning("a");
        await(() -> heard.equals(List.of("@introduceDomain")));
        assertThat(host.store().isIntroduced(1)).isTrue();
        domain.destroy();
        await(() -> heard.equals(List.of("@introduceDomain", "@releaseDomain")));
        assertThat(host.store().isIntroduced(1)).isFalse();
    }

    @Test
    void aListenerThatFailsIsLoggedAndTheOthersHear() throws Exception {
        host = Host.create(HostConfig.DEFAULT.withMemory(64 * MIB));
        host.addListener(event -> {
            throw new IllegalStateException("broken");
        });
        host.addListener(events::add);
        spinning("a");
        awaitEvent(DomainEvent.Created.class);
        assertThat(host.log()).contains("a listener failed", "broken");
        host.clearLog();
        assertThat(host.log()).isEmpty();
    }

    @Test
    void closingTheHostDestroysItsDomains() throws Exception {
        host(64);
        Domain domain = spinning("a");
        domain.start();
        host.close();
        assertThat(domain.await()).isInstanceOf(DomainOutcome.Destroyed.class);
        assertThatThrownBy(() -> spinning("b")).isInstanceOf(IllegalStateException.class);
    }

    // Memory.

    @Test
    void aGuestThatDoesNotFitIsRefusedWithNumbers() throws Exception {
        host(64);
        spinning("a");
        assertThatThrownBy(() -> host.create(
                        config("b", TinyKernel.SPIN).memoryBytes(48 * MIB).build()))
                .isInstanceOf(MachineMemoryException.class)
                .hasMessageStartingWith("domain b needs 50 MiB, 46 MiB free of 64 MiB")
                .hasMessageNotContaining("\n");
        assertThat(host.domain("b")).isEmpty();
        host.create(config("b", TinyKernel.SPIN).memoryBytes(44 * MIB).build());
    }

    @Test
    void aTargetKeepsMemoryForTheGuestAndALowerOneGivesItToOthers() throws Exception {
        host(64);
        Domain domain = host.create(
                config("a", TinyKernel.SPIN).maxMemoryBytes(48 * MIB).build());
        long before = host.info().availableBytes();
        domain.setMemoryTarget(40 * MIB);
        assertThat(before - host.info().availableBytes()).isEqualTo(24 * MIB);
        assertThat(domain.info().targetBytes()).isEqualTo(40 * MIB);
        assertThat(host.store().read("/local/domain/1/memory/target")).isEqualTo(Long.toString(40 << 10));
        assertThatThrownBy(() -> host.create(
                        config("b", TinyKernel.SPIN).memoryBytes(24 * MIB).build()))
                .isInstanceOf(MachineMemoryException.class)
                .hasMessageContaining("are kept for other domains");
        domain.setMemoryTarget(16 * MIB);
        assertThat(host.info().availableBytes()).isEqualTo(before);
        host.create(config("b", TinyKernel.SPIN).memoryBytes(24 * MIB).build());
        assertThatThrownBy(() -> domain.setMemoryTarget(40 * MIB))
                .isInstanceOf(MachineMemoryException.class)
                .hasMessageStartingWith("domain a needs");
        assertThat(domain.info().targetBytes()).isEqualTo(16 * MIB);
        assertThatThrownBy(() -> domain.setMemoryTarget(64 * MIB)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aGuestCannotOwnMoreThanItsMaximum() throws Exception {
        host(64);
        Domain domain = spinning("a");
        long gfn = 0x10000;
        long room = domain.life().domain().memory().populate(gfn, 1024);
        assertThat(room).isBetween(200L, 256L);
        domain.setMaxMemory(18 * MIB);
        assertThat(host.store().read("/local/domain/1/memory/static-max")).isEqualTo(Long.toString(18 << 10));
        assertThat(domain.life().domain().memory().populate(gfn + 1024, 4096)).isEqualTo(512);
        assertThatThrownBy(() -> domain.setMaxMemory(8 * MIB))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("16 MiB");
    }

    @Test
    void aGuestWithAHigherMaximumTouchesItsMemoryAndNoMore() throws Exception {
        host(64);
        DomainConfig.Builder config =
                config("a", TOUCH_8_MIB).maxMemoryBytes(64 * MIB).actions(LifecycleActions.PRESERVE);
        Domain domain = host.create(config.build());
        assertThat(host.info().availableBytes()).isEqualTo(46 * MIB);
        domain.start();
        await(() -> domain.life().domain().memory().ownedFrames() > 6 * 256);
        assertThat(domain.info().memoryBytes()).isEqualTo(17 * MIB);
        domain.destroy();

        Domain greedy = host.create(config("b", TOUCH_64_MIB)
                .maxMemoryBytes(64 * MIB)
                .actions(LifecycleActions.PRESERVE)
                .build());
        greedy.start();
        assertThat(greedy.await())
                .isInstanceOfSatisfying(
                        DomainOutcome.Crash.class,
                        crash -> assertThat(crash.reason()).contains("more memory than the 17 MiB"));
        greedy.destroy();
        assertThat(host.info().freeBytes()).isEqualTo(64 * MIB);
    }

    @Test
    void anInitrdBeyondTheMemoryAtTheStartIsRefusedInOneLine() throws Exception {
        host(64);
        assertThatThrownBy(() -> host.create(config("a", TinyKernel.SPIN)
                        .maxMemoryBytes(64 * MIB)
                        .ramdisk(ones(20 << 20))
                        .build()))
                .isInstanceOf(DomainBuildException.class)
                .hasMessageContaining("do not fit into the memory at the start, 16 MiB");
        assertThat(host.info().freeBytes()).isEqualTo(64 * MIB);
    }

    private static byte[] ones(int size) {
        byte[] bytes = new byte[size];
        java.util.Arrays.fill(bytes, (byte) 1);
        return bytes;
    }

    @Test
    void aNewGuestFindsNothingOfTheOneBefore() throws Exception {
        host(20);
        Domain first = spinning("a");
        PhysicalToMachine memory = first.life().domain().memory().map();
        int filled = 0;
        for (long gfn = memory.nextMapped(0); gfn >= 0; gfn = memory.nextMapped(gfn + 1)) {
            Raw.fill(memory.frameForWrite(gfn), GuestPhysical.FRAME_SIZE, (byte) 0xA5);
            filled++;
        }
        assertThat(filled).isGreaterThan(4096);
        first.destroy();
        Domain second = spinning("b");
        memory = second.life().domain().memory().map();
        int looked = 0;
        for (long gfn = memory.nextMapped(0); gfn >= 0; gfn = memory.nextMapped(gfn + 1)) {
            long frame = memory.frameForRead(gfn);
            for (int at = 0; at < GuestPhysical.FRAME_SIZE; at += 8) {
                assertThat(Raw.getLong(frame + at)).isNotEqualTo(0xA5A5A5A5A5A5A5A5L);
            }
            looked++;
        }
        assertThat(looked).isEqualTo(filled);
    }

    // Between domains.

    @Test
    void twoDomainsOfAHostShareEventChannels() throws Exception {
        host(64);
        Domain one = spinning("a");
        Domain other = spinning("b");
        int port = one.life().domain().eventChannels().allocUnbound(other.id());
        int far =
                other.life().domain().eventChannels().bindInterdomain(one.life().domain(), port);
        one.life().domain().eventChannels().send(port);
        assertThat(other.life().domain().eventChannels().isPending(far)).isTrue();
        other.destroy();
        assertThat(one.life().domain().eventChannels().status(port).state())
                .isEqualTo(org.xenolith.abi.EventChannelOp.STATUS_UNBOUND);
        assertThat(one.life().domain().domains().get(2)).isNull();
    }

    @Test
    void aGrantedFrameOutlivesTheGranterAsLongAsItIsMapped() throws Exception {
        host(64);
        Domain granter = spinning("a");
        Domain mapper = spinning("b");
        long gfn = 0x300;
        granter.life().domain().grantTable().seed(5, mapper.id(), gfn);
        PhysicalToMachine theirs = granter.life().domain().memory().map();
        Raw.putLong(theirs.frameForWrite(gfn), 0x1234);
        long at = 0x20000;
        int handle = mapper.life()
                .domain()
                .grantTable()
                .map(granter.id(), 5, GrantTableOp.MAP_HOST, at << GuestPhysical.FRAME_SHIFT)
                .handle();
        PhysicalToMachine ours = mapper.life().domain().memory().map();
        assertThat(Raw.getLong(ours.frameForRead(at))).isEqualTo(0x1234);
        granter.destroy();
        assertThat(Raw.getLong(ours.frameForRead(at))).isEqualTo(0x1234);
        long free = host.info().freeBytes();
        mapper.life().domain().grantTable().unmap(handle, at << GuestPhysical.FRAME_SHIFT);
        assertThat(ours.frameForRead(at)).isZero();
        assertThat(host.info().freeBytes()).isGreaterThan(free);
        mapper.destroy();
        assertThat(host.info().freeBytes()).isEqualTo(64 * MIB);
    }

    @Test
    void aMapperThatIsDestroyedGivesTheGranterItsFramesBack() throws Exception {
        host(64);
        Domain granter = spinning("a");
        Domain mapper = spinning("b");
        granter.life().domain().grantTable().seed(5, mapper.id(), 0x300);
        mapper.life()
                .domain()
                .grantTable()
                .map(granter.id(), 5, GrantTableOp.MAP_HOST, 0x20000L << GuestPhysical.FRAME_SHIFT);
        mapper.destroy();
        granter.destroy();
        assertThat(host.info().freeBytes()).isEqualTo(64 * MIB);
    }

    // Core dumps.

    private static Map<String, ByteBuffer> sections(Path file) throws IOException {
        ByteBuffer elf = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        assertThat(elf.getInt(0)).isEqualTo(0x464C457F);
        assertThat(elf.getShort(16)).isEqualTo((short) 4);
        int headers = (int) elf.getLong(40);
        int count = elf.getShort(60);
        int names = (int) elf.getLong(headers + elf.getShort(62) * 64 + 24);
        Map<String, ByteBuffer> result = new HashMap<>();
        for (int i = 1; i < count; i++) {
            int header = headers + i * 64;
            int name = names + elf.getInt(header);
            int end = name;
            while (elf.get(end) != 0) {
                end++;
            }
            result.put(
                    new String(elf.array(), name, end - name, StandardCharsets.US_ASCII),
                    elf.slice((int) elf.getLong(header + 24), (int) elf.getLong(header + 32))
                            .order(ByteOrder.LITTLE_ENDIAN));
        }
        return result;
    }

    @Test
    void aCoreDumpHoldsProcessorsAndMemory() throws Exception {
        host(64);
        Domain domain = spinning("a");
        domain.start();
        await(() -> domain.retiredInstructions().getFirst() > 100);
        domain.pause();
        Path file = directory.resolve("a.core");
        domain.dumpCore(file);
        Map<String, ByteBuffer> sections = sections(file);
        ByteBuffer notes = sections.get(DumpCore.NOTES);
        assertThat(notes.getInt(8)).isEqualTo(DumpCore.NOTE_NONE);
        assertThat(notes.getInt(16 + 8)).isEqualTo(DumpCore.NOTE_HEADER);
        assertThat(notes.getLong(32)).isEqualTo(DumpCore.MAGIC_HVM);
        assertThat(notes.getLong(40)).isEqualTo(1);
        long pages = notes.getLong(48);
        assertThat(notes.getLong(56)).isEqualTo(4096);
        ByteBuffer processor = sections.get(DumpCore.PRSTATUS);
        assertThat(processor.capacity()).isEqualTo(VcpuGuestContext.SIZE);
        assertThat(processor.getLong(VcpuGuestContext.RIP)).isBetween(TinyKernel.ENTRY + 1L, TinyKernel.ENTRY + 2L);
        ByteBuffer frames = sections.get(DumpCore.PFN);
        assertThat(frames.capacity()).isEqualTo((int) pages * 8);
        assertThat(pages).isEqualTo(domain.life().domain().memory().ownedFrames());
        for (int i = 0; i < pages; i++) {
            if (frames.getLong(8 * i) == TinyKernel.ENTRY >>> 12) {
                ByteBuffer page = sections.get(DumpCore.PAGES);
                assertThat(page.get(i * 4096) & 0xff).isEqualTo(0xfa);
                assertThat(page.get(i * 4096 + 1)).isEqualTo((byte) 0x40);
                assertThat(page.capacity()).isEqualTo((int) pages * 4096);
                return;
            }
        }
        throw new AssertionError("the kernel's page is not there");
    }

    @Test
    void aCrashDumpsCoreWhenItShould() throws Exception {
        host(64);
        Domain domain = host.create(config("a", TinyKernel.PANIC)
                .actions(LifecycleActions.DEFAULT.withCrash(LifecycleAction.COREDUMP_DESTROY))
                .build());
        domain.start();
        assertThat(domain.await()).isInstanceOf(DomainOutcome.Panic.class);
        Path file = awaitEvent(DomainEvent.CoreDumped.class).file();
        assertThat(file.getFileName().toString()).matches("a-\\d{8}T\\d{6}Z\\.core");
        assertThat(sections(file)).containsKey(DumpCore.PAGES);
        assertThat(host.domains()).isEmpty();
    }

    @Test
    void aCoreDumpThatCannotBeWrittenSaysSo() throws Exception {
        host(64);
        Domain domain = spinning("a");
        Path blocked = Files.writeString(directory.resolve("file"), "").resolve("a.core");
        assertThatThrownBy(() -> domain.dumpCore(blocked))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("cannot write core dump " + blocked);
    }

    @Test
    void memoryThatWasBalloonedAwayFindsItsPlaceAgainInALargeMap() throws Exception {
        host(64);
        Domain domain = host.create(
                config("a", TinyKernel.SPIN).maxMemoryBytes(3L << 30).build());
        DomainMemory memory = domain.life().domain().memory();
        long first = 0x80000;
        assertThat(memory.removeAll(LongStream.range(first, first + 512).toArray()))
                .isEqualTo(512);
        assertThat(memory.populate(first, 1)).isEqualTo(1);
    }
}
