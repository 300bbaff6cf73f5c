package org.xenolith.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PhysicalToMachineTest {
    private final MachineMemory machine = new MachineMemory(4 << 20);
    private final PhysicalToMachine map = new PhysicalToMachine(machine);

    @AfterEach
    void close() {
        machine.close();
    }

    @Test
    void holesReadAsAllOnesAndSwallowStores() {
        map.write(0x5000, 8, 1);
        assertThat(map.read(0x5000, 8)).isEqualTo(-1L);
        assertThat(map.read(0x5000, 1)).isEqualTo(0xff);
        assertThat(map.read(0x5000, 2)).isEqualTo(0xffff);
        assertThat(map.read(0x5000, 4)).isEqualTo(0xffffffffL);
        assertThat(map.frameForRead(-1)).isZero();
        assertThat(map.frameForWrite(Long.MAX_VALUE)).isZero();
    }

    @Test
    void whatIsMappedIsFoundInOrderAcrossHoles() {
        assertThat(map.nextMapped(0)).isEqualTo(-1);
        int mfn = machine.allocateFrame();
        for (long gfn : new long[] {0xFEFF8, 511, 3, 512}) {
            map.map(gfn, mfn, true);
        }
        assertThat(map.nextMapped(0)).isEqualTo(3);
        assertThat(map.nextMapped(3)).isEqualTo(3);
        assertThat(map.nextMapped(4)).isEqualTo(511);
        assertThat(map.nextMapped(512)).isEqualTo(512);
        assertThat(map.nextMapped(513)).isEqualTo(0xFEFF8);
        assertThat(map.nextMapped(0xFEFF9)).isEqualTo(-1);
        assertThat(map.nextMapped(Long.MAX_VALUE)).isEqualTo(-1);
        map.unmap(511);
        assertThat(map.nextMapped(4)).isEqualTo(512);
    }

    @Test
    void readOnlyFramesCanBeReadAndNotWritten() {
        int mfn = machine.allocateFrame();
        map.map(7, mfn, false);
        assertThat(map.frameForRead(7)).isEqualTo(machine.address(mfn));
        assertThat(map.frameForWrite(7)).isZero();
        map.map(7, mfn, true);
        map.write(0x7010, 4, 0x12345678);
        assertThat(map.read(0x7012, 2)).isEqualTo(0x1234);
    }

    @Test
    void copiesCrossFramesAndStopAtHoles() {
        map.map(1, machine.allocateFrame(), true);
        map.map(2, machine.allocateFrame(), true);
        byte[] bytes = new byte[6000];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (i * 31);
        }
        assertThat(map.write(0x1100, bytes, 0, bytes.length)).isTrue();
        byte[] back = new byte[bytes.length];
        assertThat(map.read(0x1100, back, 0, back.length)).isTrue();
        assertThat(back).isEqualTo(bytes);
        assertThat(map.read(0x2F00, back, 0, 0x200)).isFalse();
        assertThat(map.write(0x2F00, bytes, 0, 0x200)).isFalse();
    }

    @Test
    void unmappingTellsWhichFrameWasThere() {
        int mfn = machine.allocateFrame();
        map.map(0xFEFFF, mfn, true);
        assertThat(map.mfn(0xFEFFF)).isEqualTo(mfn);
        assertThat(map.unmap(0xFEFFF)).isEqualTo(mfn);
        assertThat(map.unmap(0xFEFFF)).isEqualTo(-1);
        assertThat(map.mfn(0xFEFFF)).isEqualTo(-1);
    }

    @Test
    void gfnsBeyondThirtyTwoTebibytesAreRefused() {
        int mfn = machine.allocateFrame();
        assertThatThrownBy(() -> map.map(1L << 33, mfn, true)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    /** Allows so many frames, and counts who asked in vain. */
    private static final class Quota implements PhysicalToMachine.Demand {
        int left;
        int unmet;

        Quota(int left) {
            this.left = left;
        }

        @Override
        public boolean mayPopulate() {
            return left-- > 0;
        }

        @Override
        public void unmet(long gfn) {
            unmet++;
        }
    }

    @Test
    void anEntryOnDemandGetsItsFrameWhenItIsFirstUsed() {
        try (MachineMemory machine = new MachineMemory(4 << 20)) {
            PhysicalToMachine map = new PhysicalToMachine(machine);
            map.setDemand(new Quota(2));
            map.mapOnDemand(100, 3);
            assertThat(map.mfn(100)).isEqualTo(-1);
            assertThat(map.isOnDemand(100)).isTrue();
            assertThat(map.nextMapped(0)).isEqualTo(-1);
            assertThat(map.waitingOnDemand()).isEqualTo(3);
            long frame = map.frameForRead(101);
            assertThat(frame).isNotZero().isEqualTo(map.frameForWrite(101));
            assertThat(map.mfn(101)).isEqualTo(machine.mfn(frame));
            assertThat(map.nextMapped(0)).isEqualTo(101);
            assertThat(map.waitingOnDemand()).isEqualTo(2);
            assertThat(map.populatedOnDemand()).isEqualTo(1);
            assertThat(map.account().owned()).isEqualTo(1);
        }
    }

    @Test
    void withoutAFrameToBeHadAnEntryOnDemandIsAHoleThatIsReported() {
        try (MachineMemory machine = new MachineMemory(4 << 20)) {
            PhysicalToMachine map = new PhysicalToMachine(machine);
            Quota quota = new Quota(1);
            map.setDemand(quota);
            map.mapOnDemand(0, 2);
            assertThat(map.frameForWrite(0)).isNotZero();
            assertThat(map.frameForRead(1)).isZero();
            assertThat(map.frameForWrite(1)).isZero();
            assertThat(quota.unmet).isEqualTo(2);
            quota.left = 1;
            assertThat(map.frameForRead(1)).isNotZero();
        }
    }

    @Test
    void anEntryOnDemandThatIsGivenUpCostsNothing() {
        try (MachineMemory machine = new MachineMemory(4 << 20)) {
            PhysicalToMachine map = new PhysicalToMachine(machine);
            map.setDemand(new Quota(9));
            map.mapOnDemand(0, 4);
            map.frameForRead(3);
            assertThat(map.unmapOnDemand(2)).isTrue();
            assertThat(map.unmapOnDemand(2)).isFalse();
            assertThat(map.unmapOnDemand(3)).isFalse();
            assertThat(map.frameForRead(2)).isZero();
            assertThat(map.waitingOnDemand()).isEqualTo(2);
            map.map(1, machine.allocateFrame(), true);
            assertThat(map.waitingOnDemand()).isEqualTo(1);
            assertThat(map.highestOnDemand()).isEqualTo(3);
        }
    }

    @Test
    void leavesAreLimitedAndGoWithTheirLastEntry() {
        PhysicalToMachine map = new PhysicalToMachine(machine);
        map.limitLeaves(2);
        map.map(0, 1, true);
        map.map(1L << 32, 2, true);
        assertThat(map.hasRoomFor(511)).isTrue();
        assertThat(map.hasRoomFor(512)).isFalse();
        map.unmap(1L << 32);
        assertThat(map.hasRoomFor(512)).isTrue();
        assertThat(map.mfn(1L << 32)).isEqualTo(-1);
        assertThat(map.nextMapped(1)).isEqualTo(-1);
        assertThat(map.hasRoomFor(1L << 40)).isFalse();
    }

    @Test
    void aValueAcrossAPageBoundaryNeverTouchesTheFrameThatFollowsInTheMachine() {
        int first = machine.allocateFrame();
        int other = machine.allocateFrame();
        int second = machine.allocateFrame();
        map.map(7, first, true);
        map.map(8, second, true);
        Raw.putLong(machine.address(other), 0x5555555555555555L);
        map.write(0x8000 - 3, 8, 0x1122334455667788L);
        assertThat(Raw.getLong(machine.address(other))).isEqualTo(0x5555555555555555L);
        assertThat(map.read(0x8000 - 3, 8)).isEqualTo(0x1122334455667788L);
        assertThat(map.read(0x8000, 4)).isEqualTo(0x22334455L);
        map.unmap(8);
        assertThat(map.read(0x8000 - 3, 4)).isEqualTo(0xff667788L);
    }
}
