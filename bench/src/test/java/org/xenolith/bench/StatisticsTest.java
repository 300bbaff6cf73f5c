package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

final class StatisticsTest {
    @Test
    void theMedianIsTheMiddleAndIgnoresOneDisturbedRound() {
        assertThat(Statistics.of(List.of(3.0, 1.0, 100.0))).isEqualTo(new Statistics(3, 3.0, 1.0, 100.0));
        assertThat(Statistics.of(List.of(4.0, 2.0)).median()).isEqualTo(3.0);
    }

    @Test
    void theGeometricMeanOfARatioAndItsInverseIsOne() {
        assertThat(Statistics.geometricMean(List.of(8.0, 0.125))).isCloseTo(1.0, within(1e-12));
        assertThat(Statistics.geometricMean(List.of())).isNaN();
    }

    @Test
    void noValuesHaveNoStatistics() {
        assertThatThrownBy(() -> Statistics.of(List.of())).isInstanceOf(IllegalArgumentException.class);
    }
}
