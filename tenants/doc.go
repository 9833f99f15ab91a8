// Package tenants knows who may use a service, and how much of it: tenants with their
// keys and limits, kept in one file that the command line changes and a running service
// follows.
//
// A key is cordon_ID_SECRET. The ID names it, in lists and logs. The secret is 160 random
// bits, and behind it stands a checksum, so that whoever looks for lost secrets in a
// repository finds keys and nothing else. The file has the SHA-256 of each whole key:
//
//   - not a slow hash as for passwords: nobody can try 160 bits, and a slow one would be
//     paid with every request, also for everybody who sends a wrong key;
//   - not an HMAC: its key would lie beside the file, for the same reader.
//
// What a tenant has used lately is in a Meter, and which files of the store are whose in
// Holdings. Both know tenants by their names only.
package tenants
