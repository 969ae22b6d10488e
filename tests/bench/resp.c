/* The least work of a batch read from Redis: one MGET, its RESP parsed straight into the matrix, and
 * each value's checksum checked. Values are float32 vectors without metadata, as
 * cpp/l2/codec/FORMAT.md lays them out. Not thread-safe: one buffer. */
#define XXH_INLINE_ALL
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>

enum { kHead = 128, kChecksummed = 16, kChecksumAt = 8 };

static char* buffer;
static size_t capacity;

int resp_connect(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  int yes = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return connect(fd, (struct sockaddr*)&to, sizeof to) == 0 ? fd : -1;
}

void resp_close(int fd) { close(fd); }

static int is_sound(const char* value, size_t size) {
  uint64_t seed, stored;
  memcpy(&seed, value, sizeof seed);
  memcpy(&stored, value + kChecksumAt, sizeof stored);
  return XXH3_64bits_withSeed(value + kChecksummed, size - kChecksummed, seed) == stored;
}

static char* put(char* at, const char* text, size_t size) {
  memcpy(at, text, size);
  return at + size;
}

static char* put_length(char* at, char kind, size_t value) {
  char digits[24], *first = digits + sizeof digits;
  do *--first = (char)('0' + value % 10);
  while (value /= 10);
  *at++ = kind;
  at = put(at, first, (size_t)(digits + sizeof digits - first));
  return put(at, "\r\n", 2);
}

static int send_mget(int fd, const char* prefix, const char* const* keys, size_t count) {
  const size_t prefix_size = strlen(prefix);
  size_t size = 64;
  for (size_t i = 0; i < count; ++i) size += prefix_size + strlen(keys[i]) + 32;
  char* const request = malloc(size);
  char* at = put(put_length(request, '*', count + 1), "$4\r\nMGET\r\n", 10);
  for (size_t i = 0; i < count; ++i) {
    const size_t key_size = strlen(keys[i]);
    at = put_length(at, '$', prefix_size + key_size);
    at = put(put(put(at, prefix, prefix_size), keys[i], key_size), "\r\n", 2);
  }
  const ssize_t sent = send(fd, request, (size_t)(at - request), 0);
  const int ok = sent == at - request;
  free(request);
  return ok;
}

/* Rows found, or -1. */
long resp_fetch(int fd, const char* prefix, const char* const* keys, size_t count, size_t row_bytes,
                char* matrix) {
  const size_t most = (count + 1) * (kHead + row_bytes + 32);
  if (capacity < most) buffer = realloc(buffer, capacity = most);
  if (!send_mget(fd, prefix, keys, count)) return -1;
  size_t have = 0, at = 0, row = 0;
  long found = 0;
  int begun = 0;
  while (row < count) {
    const ssize_t got = recv(fd, buffer + have, capacity - have, 0);
    if (got <= 0) return -1;
    have += (size_t)got;
    for (;;) {
      char* const end = memchr(buffer + at, '\n', have - at);
      if (end == NULL) break;
      const size_t next = (size_t)(end + 1 - buffer);
      const long length = strtol(buffer + at + 1, NULL, 10);
      if (!begun) {
        begun = 1;
        at = next;
        continue;
      }
      if (length < 0) {
        ++row;
        at = next;
      } else {
        const char* const value = buffer + next;
        if (next + (size_t)length + 2 > have) break;
        if ((size_t)length != kHead + row_bytes || !is_sound(value, (size_t)length)) return -1;
        memcpy(matrix + row++ * row_bytes, value + kHead, row_bytes);
        ++found;
        at = next + (size_t)length + 2;
      }
      if (row == count) break;
    }
  }
  return found;
}
