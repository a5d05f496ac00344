/** The server's end of a WebSocket (RFC 6455), as much as a mock needs: unfragmented text frames, close. */
import { createHash } from 'node:crypto'

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

export function upgrade(request, socket, onText, onClose) {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + MAGIC).digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: ringback.v1\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  let held = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    held = Buffer.concat([held, chunk])
    for (;;) {
      const frame = read(held)
      if (!frame) return
      held = held.subarray(frame.size)
      if (frame.opcode === 1) onText(frame.payload.toString())
      if (frame.opcode === 8) socket.end()
    }
  })
  socket.on('close', onClose)
  socket.on('error', () => {})
  return {
    send: (message) => socket.writable && socket.write(text(JSON.stringify(message))),
    drop: () => socket.destroy(),
  }
}

function read(bytes) {
  if (bytes.length < 6) return null
  let size = bytes[1] & 127
  let at = 2
  if (size === 126) {
    size = bytes.readUInt16BE(2)
    at = 4
  } else if (size === 127) {
    size = Number(bytes.readBigUInt64BE(2))
    at = 10
  }
  if (bytes.length < at + 4 + size) return null
  const mask = bytes.subarray(at, at + 4)
  const payload = Buffer.from(bytes.subarray(at + 4, at + 4 + size).map((byte, i) => byte ^ mask[i % 4]))
  return { opcode: bytes[0] & 15, payload, size: at + 4 + size }
}

function text(body) {
  const payload = Buffer.from(body)
  const head = payload.length < 126 ? Buffer.from([0x81, payload.length]) : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255])
  return Buffer.concat([head, payload])
}
