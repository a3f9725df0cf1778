/** Who may seal: the distinct miners of the last C blocks up to the anchor a seal names. */
import type { ChainParams } from '../params.ts'
import type { HeaderMeta } from './chain.ts'
import { distinctMiners } from './draw.ts'

/** Sorted keys; a member's index in it is what a seal's signature names. Empty before height C. */
export function committee (params: ChainParams, anchor: HeaderMeta): readonly Uint8Array[] {
  return anchor.height < params.committeeBlocks ? [] : distinctMiners(anchor, params.committeeBlocks)
}

/** More than two thirds. */
export const quorum = (members: number): number => Math.floor(2 * members / 3) + 1
