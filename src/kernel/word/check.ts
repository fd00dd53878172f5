/**
 * The check level this kernel was compiled with, as a Linux build has CONFIG_PROVE_RCU or not. The build makes one
 * kernel per level by replacing this constant.
 *
 * 2 `full`: every oracle. 1 `fast`: generations, poison and emptiness where they cost a few loads. 0 `off`: none; the
 * kernel that is measured.
 */
export const CHECK: u32 = 2;
