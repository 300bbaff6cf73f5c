package org.xenolith.toolstack.config;

/**
 * What a key is set to in the end.
 *
 * @param key the key's name
 * @param value all of it, pieces that were added included
 * @param added whether {@code +=} had a part in it; numbers cannot be made so
 * @param place of the key, where it was last written
 */
public record ConfigSetting(String key, ConfigValue value, boolean added, ConfigPlace place) {}
