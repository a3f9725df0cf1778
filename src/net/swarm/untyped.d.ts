/** Packages without types of their own. */
declare module 'webtorrent/dist/webtorrent.min.js' {
  const WebTorrent: import('./webtorrentTypes.ts').ClientClass
  export default WebTorrent
}
