package org.xenolith.hypervisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
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

        assertThat(unmap(handle, HOLE + 4096)).isEqualTo(GrantStatus.BAD_VIRTUAL_ADDRESS);
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
        assertThat(map(REF, 0, HOLE)).isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(map(REF, GrantTableOp.MAP_HOST | GrantTableOp.MAP_CONTAINS_PTE, HOLE))
                .isEqualTo(GrantStatus.GENERAL_ERROR);
        assertThat(map(REF, GrantTableOp.MAP_HOST, -4096)).isEqualTo(GrantStatus.BAD_VIRTUAL_ADDRESS);
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
        assertThat(op(granter, GrantTableOp.SETUP_TABLE, 24, b -> b.putInt(4, 65)))
                .isEqualTo(-Errno.EINVAL);
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
}
