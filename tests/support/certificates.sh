#!/bin/sh
# certificates.sh FOLDER: certificates for tests, as PEM files NAME.crt and NAME.key.
#   ca           the authority that tests trust; signs the next four
#   server       localhost, 127.0.0.1 and ::1
#   client       a client
#   wrong-name   evil.example
#   expired      as server, until yesterday
#   other-ca     an authority that nobody trusts; signs other-server, as server
#   self-signed  as server, signed by itself
set -eu
cd "$1"
HERE="DNS:localhost,IP:127.0.0.1,IP:::1"

authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
    -keyout "$1.key" -out "$1.crt"
}

# certificate NAME AUTHORITY NAMES [DAYS]
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout "$1.key" -out "$1.csr"
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days "${4:-30}" \
    -extfile "$1.ext" -out "$1.crt"
}

{
  authority ca
  authority other-ca
  certificate server ca "$HERE"
  certificate client ca "DNS:client.example"
  certificate wrong-name ca "DNS:evil.example"
  certificate expired ca "$HERE" -1
  certificate other-server other-ca "$HERE"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -subj "/CN=self-signed" -addext "subjectAltName=$HERE" -keyout self-signed.key \
    -out self-signed.crt
} >log 2>&1 || {
  cat log >&2
  exit 1
}
