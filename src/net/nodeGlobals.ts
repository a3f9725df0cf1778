/** What a tab has and Node 20 lacks: a WebSocket to dial with. First import of every Node entry. */
import './polyfill.ts'
import { WebSocket } from 'ws'

if (typeof globalThis.WebSocket !== 'function') Object.defineProperty(globalThis, 'WebSocket', { configurable: true, writable: true, value: WebSocket })
