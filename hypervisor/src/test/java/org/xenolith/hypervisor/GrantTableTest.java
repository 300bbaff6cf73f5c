package org.xenolith.hypervisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.abi.DomainId;
import org.xenolith.abi.Errno;
import org.xenolith.abi.GrantEntry;
import org.xenolith.abi.GrantStatus;
import org.xenolith.abi.GrantTableOp;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.abi.MemoryOp;
import org.xenolith.hypervisor.grants.GrantException;
import org.xenolith.hypervisor.grants.GrantLimits;
import org.xenolith.hypervisor.grants.GrantTable;
import org.xenolith.hypervisor.grants.HostGrant;
import org.xenolith.memory.Raw;

class GrantTableTest {
    /** Where the granter maps its table and its status words. */
    private static final long TABLE = 0x9000L << 12;

    private static final long STATUS = 0x9001L << 12;
    private static final int REF = 9;
    private static final long PAGE = 0x30000;
    /** A hole in the mapper's memory. */
    private static final long HOLE = 0x9800L << 12;

    private final TestHost host = new TestHost();
    private final Domain granter = host.domain(1, 1);
    private final Domain mapper = host.domain(2, 1);

    @AfterEach
    void tearDown() {
        host.close();
    }

    private static long op(Domain caller, int operation, int size, Consumer<ByteBuffer> fill) {
        long pointer = TestHost.struct(caller, size, fill);
        return TestHost.call(caller, HypercallNumber.GRANT_TABLE_OP, operation, pointer, 1);
    }

    private static int status(Domain caller, int offset) {
        return (short) TestHost.read(caller, TestHost.ARGUMENTS + offset, 2);
    }

    private void useVersion(int version) {
        if (version == 2) {
            assertThat(op(granter, GrantTableOp.SET_VERSION, 4, b -> b.putInt(0, 2)))
                    .isZero();
            assertThat(mapFrame(MemoryOp.GRANT_STATUS_INDEX, STATUS >>> 12)).isZero();
        }
        assertThat(mapFrame(0, TABLE >>> 12)).isZero();
    }

    private long mapFrame(long index, long gfn) {
        long pointer = TestHost.struct(
                granter,
                24,
                b -> b.putShort(0, (short) DomainId.SELF)
                        .putInt(4, MemoryOp.SPACE_GRANT_TABLE)
                        .putLong(8, index)
                        .putLong(16, gfn));
        return TestHost.call(granter, HypercallNumber.MEMORY_OP, MemoryOp.ADD_TO_PHYSMAP, pointer);
    }

    private void grant(int version, int ref, int to, long gfn, int flags) {
        if (version == 1) {
            TestHost.write(granter, TABLE + ref * 8L + 4, 4, gfn);
            TestHost.write(granter, TABLE + ref * 8L, 4, flags | to << 16);
        } else {
            TestHost.write(granter, TABLE + ref * 16L + 8, 8, gfn);
            TestHost.write(granter, TABLE + ref * 16L, 4, flags | to << 16);
        }
    }

    /** The READING and WRITING marks that the granter sees. */
    private long marks(int version, int ref) {
        long value = version == 1
                ? TestHost.read(granter, TABLE + ref * 8L, 2)
                : TestHost.read(granter, STATUS + ref * 2L, 2);
        return value & (GrantEntry.READING | GrantEntry.WRITING);
    }

    private int map(int ref, int flags, long address) {
        assertThat(op(
                        mapper,
                        GrantTableOp.MAP_GRANT_REF,
                        32,
                        b -> b.putLong(0, address)
                                .putInt(8, flags)
                                .putInt(12, ref)
                                .putShort(16, (short) granter.id())))
                .isZero();
        return status(mapper, 18);
    }

    private int handle() {
        return (int) TestHost.read(mapper, TestHost.ARGUMENTS + 20, 4);
    }

    private int unmap(int handle, long address) {
        assertThat(op(
                        mapper,
                        GrantTableOp.UNMAP_GRANT_REF,
                        24,
                        b -> b.putLong(0, address).putInt(16, handle)))
                .isZero();
        return status(mapper, 20);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void aMappedFrameIsTheGrantersMemory(int version) {
        useVersion(version);
        grant(version, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        TestHost.write(granter, PAGE, 8, 0x1122334455667788L);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isEqualTo(GrantStatus.OKAY);
        int handle = handle();
        assertThat(TestHost.read(mapper, HOLE, 8)).isEqualTo(0x1122334455667788L);
        TestHost.write(mapper, HOLE + 8, 8, 42);
        assertThat(TestHost.read(granter, PAGE + 8, 8)).isEqualTo(42);
        assertThat(marks(version, REF)).isEqualTo(GrantEntry.READING | GrantEntry.WRITING);

        assertThat(unmap(handle, HOLE + 4096)).isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(unmap(handle, 0)).as("nothing to do").isEqualTo(GrantStatus.OKAY);
        assertThat(marks(version, REF)).isEqualTo(GrantEntry.READING | GrantEntry.WRITING);
        assertThat(unmap(handle, HOLE)).isEqualTo(GrantStatus.OKAY);
        assertThat(mapper.memory().map().mfn(HOLE >>> 12)).isEqualTo(-1);
        assertThat(marks(version, REF)).isZero();
        assertThat(unmap(handle, HOLE)).isEqualTo(GrantStatus.BAD_HANDLE);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void aReadOnlyGrantCannotBeWritten(int version) {
        useVersion(version);
        grant(version, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS | GrantEntry.READONLY);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(marks(version, REF)).isZero();
        assertThat(map(REF, GrantTableOp.MAP_HOST | GrantTableOp.MAP_READONLY, HOLE))
                .isEqualTo(GrantStatus.OKAY);
        assertThat(marks(version, REF)).isEqualTo(GrantEntry.READING);
        assertThat(mapper.memory().map().frameForWrite(HOLE >>> 12)).isZero();
        assertThat(mapper.memory().map().frameForRead(HOLE >>> 12)).isNotZero();
    }

    @Test
    void aGrantIsForTheDomainThatItNames() {
        useVersion(1);
        grant(1, REF, 7, PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isEqualTo(GrantStatus.GENERAL_ERROR);
    }

    @Test
    void whatIsNotAGrantIsRefused() {
        useVersion(1);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(map(-1, GrantTableOp.MAP_HOST, HOLE)).isEqualTo(GrantStatus.BAD_REF);
        assertThat(map(512, GrantTableOp.MAP_HOST, HOLE)).isEqualTo(GrantStatus.BAD_REF);
        grant(1, REF, mapper.id(), 0x99999, GrantEntry.PERMIT_ACCESS);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isEqualTo(GrantStatus.BAD_PAGE);
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        assertThat(map(REF, 0, HOLE)).isEqualTo(GrantStatus.BAD_REF);
        assertThat(map(REF, GrantTableOp.MAP_HOST | 1 << 16, HOLE)).isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(map(REF, GrantTableOp.MAP_HOST | GrantTableOp.MAP_CONTAINS_PTE, HOLE))
                .isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(map(REF, GrantTableOp.MAP_HOST, -4096)).isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(marks(1, REF)).isZero();
        assertThat(op(
                        mapper,
                        GrantTableOp.MAP_GRANT_REF,
                        32,
                        b -> b.putInt(8, 2).putShort(16, (short) 77)))
                .isZero();
        assertThat(status(mapper, 18)).isEqualTo(GrantStatus.BAD_DOMAIN);
    }

    @Test
    void aMappedFrameOutlivesItsPlaceInTheGrantersMemory() {
        useVersion(1);
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isZero();
        int handle = handle();
        TestHost.write(mapper, HOLE, 8, 99);
        long available = host.machine.available();
        assertThat(granter.memory().remove(PAGE >>> 12)).isTrue();
        assertThat(host.machine.available()).isEqualTo(available);
        assertThat(TestHost.read(mapper, HOLE, 8)).isEqualTo(99);
        assertThat(unmap(handle, HOLE)).isZero();
        assertThat(host.machine.available()).isEqualTo(available + 1);
    }

    @Test
    void aFrameThatWasGrantedToUsCannotBeGrantedOn() {
        useVersion(1);
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isZero();
        assertThat(mapper.memory().pin(HOLE >>> 12)).isEqualTo(-1);
        assertThat(mapper.memory().isOwned(HOLE >>> 12)).isFalse();
    }

    private int copy(
            long source,
            int sourceDomain,
            int sourceOffset,
            long dest,
            int destDomain,
            int destOffset,
            int length,
            int flags) {
        assertThat(op(
                        mapper,
                        GrantTableOp.COPY,
                        40,
                        b -> b.putLong(0, source)
                                .putShort(8, (short) sourceDomain)
                                .putShort(10, (short) sourceOffset)
                                .putLong(16, dest)
                                .putShort(24, (short) destDomain)
                                .putShort(26, (short) destOffset)
                                .putShort(32, (short) length)
                                .putShort(34, (short) flags)))
                .isZero();
        return status(mapper, 36);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void aCopyGoesBothWays(int version) {
        useVersion(version);
        grant(version, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        TestHost.write(granter, PAGE + 100, 8, 0xABCDEF);
        int self = DomainId.SELF;
        assertThat(copy(REF, 1, 100, 0x40, self, 200, 8, GrantTableOp.COPY_SOURCE_REF))
                .isZero();
        assertThat(TestHost.read(mapper, 0x40000 + 200, 8)).isEqualTo(0xABCDEF);
        TestHost.write(mapper, 0x40000, 8, 0x777);
        assertThat(copy(0x40, self, 0, REF, 1, 8, 8, GrantTableOp.COPY_DEST_REF))
                .isZero();
        assertThat(TestHost.read(granter, PAGE + 8, 8)).isEqualTo(0x777);
        assertThat(marks(version, REF)).isZero();
    }

    @Test
    void copiesAreCheckedLikeMappings() {
        useVersion(1);
        int self = DomainId.SELF;
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS | GrantEntry.READONLY);
        assertThat(copy(0x40, self, 0, REF, 1, 0, 8, GrantTableOp.COPY_DEST_REF))
                .isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(copy(REF, 1, 4090, 0x40, self, 0, 8, GrantTableOp.COPY_SOURCE_REF))
                .isEqualTo(GrantStatus.BAD_COPY_ARGUMENT);
        assertThat(copy(0x30, 1, 0, 0x40, self, 0, 8, 0))
                .as("frames of other domains go by grants only")
                .isEqualTo(GrantStatus.PERMISSION_DENIED);
        assertThat(copy(1L << 30, self, 0, 0x40, self, 0, 8, 0)).isEqualTo(GrantStatus.BAD_PAGE);
        assertThat(copy(0x40, self, 0, 0x41, self, 0, 8, 0)).isZero();
    }

    @Test
    void partOfAPageCanBeGrantedForCopiesOnly() {
        useVersion(2);
        grant(2, REF, mapper.id(), PAGE >>> 12, 0);
        TestHost.write(granter, TABLE + REF * 16 + 4, 2, 256);
        TestHost.write(granter, TABLE + REF * 16 + 6, 2, 128);
        TestHost.write(granter, TABLE + REF * 16, 2, GrantEntry.PERMIT_ACCESS | GrantEntry.SUB_PAGE);
        int self = DomainId.SELF;
        assertThat(copy(REF, 1, 256, 0x40, self, 0, 128, GrantTableOp.COPY_SOURCE_REF))
                .isZero();
        assertThat(copy(REF, 1, 255, 0x40, self, 0, 128, GrantTableOp.COPY_SOURCE_REF))
                .isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isEqualTo(GrantStatus.GENERAL_ERROR);
    }

    @Test
    void theVersionChangesOnlyWhileNothingIsInUse() {
        useVersion(1);
        granter.grantTable().seed(GrantEntry.REF_XENSTORE, 0, 0x77);
        grant(1, REF, 0, PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        try (HostGrant grant = granter.grantTable().mapForHost(REF, 0, true)) {
            assertThat(op(granter, GrantTableOp.SET_VERSION, 4, b -> b.putInt(0, 2)))
                    .isEqualTo(-Errno.EBUSY);
            Raw.putLong(grant.address(), 5);
        }
        assertThat(TestHost.read(granter, PAGE, 8)).isEqualTo(5);
        assertThat(op(granter, GrantTableOp.SET_VERSION, 4, b -> b.putInt(0, 3)))
                .isEqualTo(-Errno.EINVAL);
        assertThat(op(granter, GrantTableOp.SET_VERSION, 4, b -> b.putInt(0, 2)))
                .isZero();
        assertThat(TestHost.read(granter, TABLE + 16 + 8, 8))
                .as("reserved references stay")
                .isEqualTo(0x77);
        assertThat(TestHost.read(granter, TABLE + REF * 16, 2)).isZero();
        assertThat(op(granter, GrantTableOp.SET_VERSION, 4, b -> b.putInt(0, 1)))
                .isZero();
        assertThat(TestHost.read(granter, TABLE + 8 + 4, 4)).isEqualTo(0x77);
    }

    @Test
    void aServiceIsRefusedWhatTheGuestDidNotGrant() {
        assertThatThrownBy(() -> granter.grantTable().mapForHost(REF, 0, true)).isInstanceOf(GrantException.class);
    }

    @Test
    void theTableTellsItsSizeAndGrowsToItsLimit() {
        assertThat(op(granter, GrantTableOp.QUERY_SIZE, 16, b -> b.putShort(0, (short) DomainId.SELF)))
                .isZero();
        assertThat(status(granter, 12)).isZero();
        assertThat(TestHost.read(granter, TestHost.ARGUMENTS + 4, 4)).isEqualTo(1);
        assertThat(TestHost.read(granter, TestHost.ARGUMENTS + 8, 4)).isEqualTo(64);
        assertThat(mapFrame(63, 0x9100)).isZero();
        assertThat(granter.grantTable().frames()).isEqualTo(64);
        assertThat(op(
                        granter,
                        GrantTableOp.SETUP_TABLE,
                        24,
                        b -> b.putShort(0, (short) DomainId.SELF).putInt(4, 64).putLong(16, 0x5000)))
                .isZero();
        assertThat(TestHost.read(granter, 0x5000 + 63 * 8, 8)).isEqualTo(0x9100);
        assertThat(op(
                        granter,
                        GrantTableOp.SETUP_TABLE,
                        24,
                        b -> b.putShort(0, (short) DomainId.SELF).putInt(4, 65)))
                .isZero();
        assertThat(status(granter, 8)).isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(op(
                        granter,
                        GrantTableOp.SETUP_TABLE,
                        24,
                        b -> b.putShort(0, (short) DomainId.SELF).putInt(4, 1).putLong(16, 1L << 40)))
                .isZero();
        assertThat(status(granter, 8)).isEqualTo(GrantStatus.BAD_VIRTUAL_ADDRESS);
        assertThat(op(granter, GrantTableOp.TRANSFER, 24, b -> {})).isEqualTo(-Errno.ENOSYS);
    }

    @Test
    void aMapperThatDiesGivesItsMappingsBack() {
        useVersion(1);
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isZero();
        mapper.destroy();
        assertThat(marks(1, REF)).isZero();
    }

    @Test
    void aGranterThatDiesLeavesTheFrameToTheMapper() {
        long before = host.machine.available() + TestHost.FRAMES + 2;
        useVersion(1);
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isZero();
        int handle = handle();
        TestHost.write(mapper, HOLE, 8, 4711);
        granter.destroy();
        assertThat(TestHost.read(mapper, HOLE, 8)).isEqualTo(4711);
        assertThat(unmap(handle, HOLE)).isZero();
        assertThat(host.machine.available()).isEqualTo(before);
    }

    @Test
    void aRevokedGrantStaysWhereItIsMappedButOnlyThere() {
        useVersion(1);
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isZero();
        int first = handle();
        TestHost.write(granter, TABLE + REF * 8L, 4, 0);
        TestHost.write(granter, TABLE + REF * 8L + 4, 4, 0x55);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE + 0x1000))
                .as("what is in use is what it was")
                .isZero();
        int second = handle();
        assertThat(mapper.memory().map().mfn((HOLE >>> 12) + 1))
                .isEqualTo(granter.memory().map().mfn(PAGE >>> 12));
        assertThat(unmap(first, HOLE)).isZero();
        assertThat(unmap(second, HOLE + 0x1000)).isZero();
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isEqualTo(GrantStatus.GENERAL_ERROR);
    }

    @Test
    void writeAccessIsRefusedOnceAnEntryHasBecomeReadOnly() {
        useVersion(1);
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        assertThat(map(REF, GrantTableOp.MAP_HOST | GrantTableOp.MAP_READONLY, HOLE))
                .isZero();
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS | GrantEntry.READONLY);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE + 0x1000)).isEqualTo(GrantStatus.GENERAL_ERROR);
    }

    @Test
    void aReferenceIsMappedAtMost128Times() {
        useVersion(1);
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        for (int i = 0; i < 128; i++) {
            assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE + i * 0x1000L)).isZero();
        }
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE + 128 * 0x1000L)).isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(map(REF, GrantTableOp.MAP_HOST | GrantTableOp.MAP_READONLY, HOLE + 128 * 0x1000L))
                .as("readers are counted apart")
                .isZero();
    }

    @Test
    void handlesRunOutAndComeBack() {
        Domain poor = host.domain(3, 1, new GrantLimits(1, 1, 1));
        useVersion(1);
        for (int ref = 8; ref < 8 + 257; ref++) {
            grant(1, ref, 3, PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        }
        GrantTable table = poor.grantTable();
        for (int i = 0; i < 256; i++) {
            table.map(1, 8 + i, GrantTableOp.MAP_HOST, HOLE + i * 0x1000L);
        }
        assertThatThrownBy(() -> table.map(1, 8 + 256, GrantTableOp.MAP_HOST, HOLE + 256 * 0x1000L))
                .isInstanceOfSatisfying(
                        GrantException.class, e -> assertThat(e.status()).isEqualTo(GrantStatus.NO_SPACE));
        GrantTable.HeldMapping held = table.heldMappings().getFirst();
        table.unmap(0, held.gfn() << 12);
        assertThat(table.map(1, 8 + 256, GrantTableOp.MAP_HOST, HOLE).handle()).isZero();
        assertThat(op(poor, GrantTableOp.SET_VERSION, 4, b -> b.putInt(0, 2))).isEqualTo(-Errno.ENOSYS);
        assertThat(TestHost.read(poor, TestHost.ARGUMENTS, 4)).isEqualTo(1);
    }

    @Test
    void aFreedHandleIsTheLastToBeUsedAgain() {
        useVersion(1);
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isZero();
        int first = handle();
        assertThat(unmap(first, HOLE)).isZero();
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isZero();
        assertThat(handle()).isNotEqualTo(first);
    }

    @Test
    void aGrantedPlaceIsLeftByUnmapOnly() {
        useVersion(1);
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isZero();
        int handle = handle();
        assertThat(mapper.memory().remove(HOLE >>> 12)).isFalse();
        assertThat(mapper.memory().move(0x40, HOLE >>> 12)).isFalse();
        assertThat(mapper.memory().move(HOLE >>> 12, 0x9900)).isFalse();
        assertThatThrownBy(() -> mapper.mapSharedInfo(HOLE >>> 12)).isInstanceOf(HypercallException.class);
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(unmap(handle, HOLE)).isZero();
    }

    @Test
    void aDomainMapsItsOwnGrantBesideTheOriginal() {
        useVersion(1);
        grant(1, REF, granter.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        GrantTable.Mapped mapped = granter.grantTable().map(granter.id(), REF, GrantTableOp.MAP_HOST, HOLE);
        assertThat(granter.memory().isOwned(PAGE >>> 12)).isTrue();
        assertThat(granter.memory().isOwned(HOLE >>> 12)).isFalse();
        long owned = granter.memory().ownedFrames();
        assertThat(granter.memory().remove(PAGE >>> 12)).isTrue();
        assertThat(granter.memory().ownedFrames()).isEqualTo(owned - 1);
        TestHost.write(granter, HOLE, 8, 5);
        assertThat(accounting().violations()).isEmpty();
        granter.grantTable().unmap(mapped.handle(), HOLE);
        assertThat(accounting().violations()).isEmpty();
    }

    private FrameAccounting accounting() {
        return new FrameAccounting(host.machine, host.domains.all());
    }

    // Transitive grants: the owner grants to the middle, which passes it on to the mapper.

    private static final int THIRD = 3;

    private Domain owner() {
        Domain owner = host.domain(THIRD, 1);
        GrantTable table = owner.grantTable();
        table.mapFrame(0, TABLE >>> 12);
        TestHost.write(owner, TABLE + 20 * 8L + 4, 4, 0x44);
        TestHost.write(owner, TABLE + 20 * 8L, 4, GrantEntry.PERMIT_ACCESS | granter.id() << 16);
        TestHost.write(owner, 0x44000, 8, 0xFEED);
        return owner;
    }

    private void passOn(int domid, int ref) {
        TestHost.write(granter, TABLE + REF * 16L + 4, 2, domid);
        TestHost.write(granter, TABLE + REF * 16L + 8, 4, ref);
        TestHost.write(granter, TABLE + REF * 16L, 4, GrantEntry.TRANSITIVE | mapper.id() << 16);
    }

    @Test
    void aTransitiveGrantIsCopiedThroughAndNeverMapped() {
        Domain owner = owner();
        useVersion(2);
        passOn(THIRD, 20);
        int self = DomainId.SELF;
        assertThat(copy(REF, 1, 0, 0x40, self, 0, 8, GrantTableOp.COPY_SOURCE_REF))
                .isZero();
        assertThat(TestHost.read(mapper, 0x40000, 8)).isEqualTo(0xFEED);
        TestHost.write(mapper, 0x40008, 8, 0xBEEF);
        assertThat(copy(0x40, self, 8, REF, 1, 16, 8, GrantTableOp.COPY_DEST_REF))
                .isZero();
        assertThat(TestHost.read(owner, 0x44010, 8)).isEqualTo(0xBEEF);
        assertThat(marks(2, REF)).isZero();
        assertThat(TestHost.read(owner, TABLE + 20 * 8L, 2) & 0x18).isZero();
        assertThat(map(REF, GrantTableOp.MAP_HOST, HOLE)).isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(accounting().violations()).isEmpty();
    }

    @Test
    void aTransitiveGrantOfNothingIsRefused() {
        owner();
        useVersion(2);
        int self = DomainId.SELF;
        passOn(granter.id(), 20);
        assertThat(copy(REF, 1, 0, 0x40, self, 0, 8, GrantTableOp.COPY_SOURCE_REF))
                .as("of its own")
                .isEqualTo(GrantStatus.GENERAL_ERROR);
        passOn(77, 20);
        assertThat(copy(REF, 1, 0, 0x40, self, 0, 8, GrantTableOp.COPY_SOURCE_REF))
                .isEqualTo(GrantStatus.GENERAL_ERROR);
        passOn(THIRD, 21);
        assertThat(copy(REF, 1, 0, 0x40, self, 0, 8, GrantTableOp.COPY_SOURCE_REF))
                .isEqualTo(GrantStatus.GENERAL_ERROR);
        passOn(THIRD, 1 << 20);
        assertThat(copy(REF, 1, 0, 0x40, self, 0, 8, GrantTableOp.COPY_SOURCE_REF))
                .isEqualTo(GrantStatus.BAD_REF);
        assertThat(marks(2, REF)).isZero();
    }

    @Test
    void entriesThatVersionOneCannotExpressKeepTheTableInVersionTwo() {
        useVersion(2);
        grant(2, 5, mapper.id(), 1L << 32, GrantEntry.PERMIT_ACCESS);
        assertThat(op(granter, GrantTableOp.SET_VERSION, 4, b -> b.putInt(0, 1)))
                .isEqualTo(-Errno.ERANGE);
        grant(2, 5, mapper.id(), 0, GrantEntry.TRANSITIVE);
        assertThat(op(granter, GrantTableOp.SET_VERSION, 4, b -> b.putInt(0, 1)))
                .isEqualTo(-Errno.ERANGE);
        assertThat(TestHost.read(granter, TestHost.ARGUMENTS, 4)).isEqualTo(2);
        grant(2, 5, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        try (HostGrant console = granter.grantTable().mapForHost(5, mapper.id(), true)) {
            assertThat(op(granter, GrantTableOp.SET_VERSION, 4, b -> b.putInt(0, 1)))
                    .as("reserved references may be in use")
                    .isZero();
            assertThat(marks(1, 5)).isEqualTo(GrantEntry.READING | GrantEntry.WRITING);
            assertThat(console.gfn()).isEqualTo(PAGE >>> 12);
        }
        assertThat(marks(1, 5)).isZero();
    }

    @Test
    void anElementThatCannotBeReadEndsTheBatchAndKeepsWhatIsDone() {
        useVersion(1);
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        // Two elements at the end of the memory, and a third beyond it.
        long end = (long) TestHost.FRAMES << 12;
        for (int i = 0; i < 2; i++) {
            long at = end - 64 + i * 32;
            TestHost.write(mapper, at, 8, HOLE + i * 0x1000);
            TestHost.write(mapper, at + 8, 4, GrantTableOp.MAP_HOST);
            TestHost.write(mapper, at + 12, 4, REF);
            TestHost.write(mapper, at + 16, 2, granter.id());
        }
        assertThat(TestHost.call(mapper, HypercallNumber.GRANT_TABLE_OP, GrantTableOp.MAP_GRANT_REF, end - 64, 3))
                .isEqualTo(-Errno.EFAULT);
        assertThat(mapper.grantTable().heldMappings()).hasSize(2);
        assertThat(TestHost.call(mapper, HypercallNumber.GRANT_TABLE_OP, GrantTableOp.MAP_GRANT_REF, end - 64, -1))
                .isEqualTo(-Errno.EINVAL);
    }

    @Test
    void aLongBatchGoesOnFromWhereItStopped() {
        long array = 0x100000;
        int count = 5000;
        for (int i = 0; i < count; i++) {
            TestHost.write(mapper, array + i * 12L, 4, i % 512);
            TestHost.write(mapper, array + i * 12L + 4, 4, 512);
            TestHost.write(mapper, array + i * 12L + 8, 2, 0x5555);
        }
        Vcpu vcpu = mapper.vcpus().getFirst();
        assertThat(TestHost.call(vcpu, HypercallNumber.GRANT_TABLE_OP, GrantTableOp.SWAP_GRANT_REF, array, count))
                .isZero();
        for (int i = 0; i < count; i++) {
            assertThat((short) TestHost.read(mapper, array + i * 12L + 8, 2)).isEqualTo((short) GrantStatus.BAD_REF);
        }
    }

    @Test
    void whatXenDoesNotHaveForTranslatedGuestsIsNotThere() {
        for (int operation : new int[] {3, 4, 7, GrantTableOp.GET_STATUS_FRAMES, 12, 13, 1 << 12}) {
            assertThat(TestHost.call(mapper, HypercallNumber.GRANT_TABLE_OP, operation, TestHost.ARGUMENTS, 1))
                    .isEqualTo(-Errno.ENOSYS);
        }
    }

    @Test
    void randomUseOfGrantsKeepsTheAccounts() {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        System.out.println("randomUseOfGrantsKeepsTheAccounts: -Dxenolith.seed=" + seed);
        Random random = new Random(seed);
        List<Domain> domains = new ArrayList<>(List.of(granter, mapper, host.domain(3, 1)));
        List<Domain> all = new ArrayList<>(domains);
        domains.forEach(domain -> domain.grantTable().mapFrame(0, TABLE >>> 12));
        for (int step = 0; step < 20_000; step++) {
            Domain one = domains.get(random.nextInt(domains.size()));
            Domain two = domains.get(random.nextInt(domains.size()));
            long gfn = random.nextInt(64) + 0x30;
            long place = random.nextInt(4) == 0 ? gfn : 0x9800 + random.nextInt(32);
            int ref = 8 + random.nextInt(8);
            try {
                switch (random.nextInt(10)) {
                    case 0, 1 -> {
                        int size = one.grantTable().version() == 1 ? 8 : 16;
                        int flags = new int[] {0, 1, 1, 1, 5, 3, 0x101}[random.nextInt(7)];
                        TestHost.write(one, TABLE + (long) ref * size + size / 2, 4, gfn);
                        TestHost.write(one, TABLE + (long) ref * size, 4, flags | two.id() << 16);
                    }
                    case 2, 3, 4 ->
                        one.grantTable().map(two.id(), ref, GrantTableOp.MAP_HOST | random.nextInt(2) * 4, place << 12);
                    case 5, 6 -> {
                        List<GrantTable.HeldMapping> held = one.grantTable().heldMappings();
                        if (!held.isEmpty()) {
                            long at = held.get(random.nextInt(held.size())).gfn() << 12;
                            one.grantTable().unmap(random.nextInt(300), at);
                        }
                    }
                    case 7 -> {
                        one.memory().remove(gfn);
                        one.memory().populate(gfn + random.nextInt(2), 1);
                    }
                    case 8 -> {
                        if (random.nextInt(20) == 0) {
                            one.grantTable().setVersion(1 + random.nextInt(2));
                        } else {
                            one.memory().move(gfn, place);
                        }
                    }
                    default ->
                        one.grantTable()
                                .copy(
                                        new GrantTable.CopyEnd(true, ref, two.id(), random.nextInt(64)),
                                        new GrantTable.CopyEnd(false, gfn, DomainId.SELF, 0),
                                        random.nextInt(4096));
                }
            } catch (GrantException | HypercallException | IllegalStateException e) {
                // Refused, or the table's page is not mapped any more.
            }
            if (step == 15_000) {
                domains.remove(granter);
                granter.destroy();
            }
            if (step % 500 == 0) {
                assertThat(new FrameAccounting(host.machine, all).violations())
                        .as("seed %d, step %d", seed, step)
                        .isEmpty();
            }
        }
        domains.forEach(Domain::destroy);
        assertThat(host.machine.available()).isEqualTo(host.machine.frames());
    }

    @Test
    void theAccountsTellWhoReachesAFrame() {
        useVersion(1);
        grant(1, REF, mapper.id(), PAGE >>> 12, GrantEntry.PERMIT_ACCESS);
        assertThat(map(REF, GrantTableOp.MAP_HOST | GrantTableOp.MAP_READONLY, HOLE))
                .isZero();
        List<FrameAccounting.Reach> reach =
                accounting().who(granter.memory().map().mfn(PAGE >>> 12));
        assertThat(reach)
                .containsExactly(
                        new FrameAccounting.Reach(granter, PAGE >>> 12, true, FrameAccounting.Reason.OWNED, null, -1),
                        new FrameAccounting.Reach(
                                mapper, HOLE >>> 12, false, FrameAccounting.Reason.GRANTED, granter, REF));
        assertThat(accounting().violations()).isEmpty();
        // What must never be: a place that no mapping stands behind.
        mapper.memory().mapForeign(0x9900, granter.memory().map().mfn(0x31), true, DomainMemory.Foreign.GRANT);
        assertThat(accounting().violations()).hasSize(1);
    }
}
