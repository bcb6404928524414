/* One datagram to a unix socket: how a service manager is told of start, life and stop. */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mirrorbeat_fence.h"

_Static_assert(sizeof(struct mirrorbeat_datagram) == 628, "as src/device/unix-datagram.ts knows it");
_Static_assert(sizeof((struct mirrorbeat_datagram *)0)->address ==
                   sizeof((struct sockaddr_un *)0)->sun_path,
               "any address fits");

EXPORT int32_t mirrorbeat_datagram_send(const struct mirrorbeat_datagram *datagram) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  uint32_t length = datagram->address_bytes;
  if (length == 0 || length > sizeof address.sun_path) return -ENAMETOOLONG;
  if (datagram->text_bytes > sizeof datagram->text) return -EMSGSIZE;
  memcpy(address.sun_path, datagram->address, length);
  int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (file < 0) return -errno;
  socklen_t address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  ssize_t sent = sendto(file, datagram->text, datagram->text_bytes, MSG_NOSIGNAL,
                        (const struct sockaddr *)&address, address_length);
  int32_t result = sent < 0 ? -errno : 0;
  (void)close(file);
  return result;
}
