#include "serve/tokens.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <skerry/error.hpp>

#include "base/file.hpp"
#include "wire/json_node.hpp"

namespace skerry::serve {
namespace {

using wire::JsonNode;
using wire::JsonText;

constexpr std::uint64_t kMaxKeyFile = 1 << 20;
constexpr std::size_t kMaxToken = 8 << 10;
constexpr std::size_t kLeastSecret = 32;  // RFC 7518, section 3.2
constexpr int kLeastRsaBits = 2048;       // section 3.3
constexpr double kLeeway = 30.0;

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* pointer) const noexcept {
    Free(pointer);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<&EVP_PKEY_free>>;
using ContextPtr = std::unique_ptr<EVP_PKEY_CTX, Freed<&EVP_PKEY_CTX_free>>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Freed<&EVP_MD_CTX_free>>;
using BuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, Freed<&OSSL_PARAM_BLD_free>>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, Freed<&OSSL_PARAM_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, Freed<&BN_free>>;
using SignaturePtr = std::unique_ptr<ECDSA_SIG, Freed<&ECDSA_SIG_free>>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// base64url without padding (RFC 7515, section 2).
std::optional<std::string> decoded(std::string_view text) {
  std::string bytes(text.size(), '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  const int status = sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                                       text.size(), nullptr, &size, &end, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  if (status != 0 || end != text.data() + text.size()) return std::nullopt;
  bytes.resize(size);
  return bytes;
}

std::optional<JsonNode> member(const JsonNode& object, std::string_view name) {
  if (!object.is_object()) object.refuse("an object is needed here");
  for (const auto& [key, value] : object.members()) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string text_of(const JsonNode& object, std::string_view name) {
  const auto found = member(object, name);
  return found ? std::string(found->text()) : std::string();
}

std::string bytes_in(const JsonNode& key, std::string_view name) {
  const auto found = member(key, name);
  if (!found) key.refuse("'" + std::string(name) + "' is missing");
  auto bytes = decoded(found->text());
  if (!bytes || bytes->empty()) found->refuse("this is not base64url");
  return *std::move(bytes);
}

NumberPtr number_of(std::string_view bytes) {
  return NumberPtr(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

KeyPtr key_from(const char* type, OSSL_PARAM_BLD* builder) {
  const ParamsPtr params(OSSL_PARAM_BLD_to_param(builder));
  const ContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    return nullptr;
  return KeyPtr(key);
}

KeyPtr curve_key(const JsonNode& key) {
  const std::string x = bytes_in(key, "x"), y = bytes_in(key, "y");
  const std::string point = '\x04' + x + y;
  const BuilderPtr builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  return key_from("EC", builder.get());
}

KeyPtr rsa_key(const JsonNode& key) {
  const NumberPtr modulus = number_of(bytes_in(key, "n")), exponent = number_of(bytes_in(key, "e"));
  if (BN_num_bits(modulus.get()) < kLeastRsaBits) key.refuse("an RSA key needs 2048 bits");
  const BuilderPtr builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return key_from("RSA", builder.get());
}

KeyPtr edwards_key(const JsonNode& key) {
  const std::string x = bytes_in(key, "x");
  return KeyPtr(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(x), x.size()));
}

// A JSON Web Signature holds r and s side by side (RFC 7518, section 3.4), OpenSSL wants them as DER.
std::string der_of(std::string_view signature) {
  if (signature.size() != 64) return {};
  const SignaturePtr both(ECDSA_SIG_new());
  NumberPtr r = number_of(signature.substr(0, 32)), s = number_of(signature.substr(32));
  ECDSA_SIG_set0(both.get(), r.release(), s.release());
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(both.get(), &der);
  std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(std::max(0, size)));
  OPENSSL_free(der);
  return text;
}

bool verifies(EVP_PKEY* key, const EVP_MD* digest, std::string_view signature, std::string_view text) {
  const DigestPtr context(EVP_MD_CTX_new());
  return context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text), text.size()) == 1;
}

[[noreturn]] void refuse(const std::string& reason) {
  throw Error(ErrorCode::permission_denied, "the token " + reason, "authorization", "get a new one");
}

struct Parts {
  std::string_view signed_part, header, payload, signature;
};

Parts parts_of(std::string_view token) {
  const std::size_t first = token.find('.'), last = token.rfind('.');
  return {token.substr(0, last), token.substr(0, first), token.substr(first + 1, last - first - 1),
          token.substr(last + 1)};
}

double seconds_of(TokenKeys::Clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

void check_times(const JsonNode& claims, double now) {
  const auto end = member(claims, "exp"), begin = member(claims, "nbf");
  if (!end) refuse("never ends; 'exp' is needed");
  if (!(end->number() + kLeeway > now)) refuse("has expired");
  if (begin && !(begin->number() - kLeeway <= now)) refuse("does not hold yet");
}

bool holds(const JsonNode& audience, std::string_view wanted) {
  if (!audience.is_array()) return audience.text() == wanted;
  for (const JsonNode& one : audience.items()) {
    if (one.text() == wanted) return true;
  }
  return false;
}

void check_parties(const JsonNode& claims, const TokenOptions& options) {
  if (!options.issuer.empty() && text_of(claims, "iss") != options.issuer) refuse("is from another issuer");
  const auto audience = member(claims, "aud");
  const bool is_meant =
      audience ? !options.audience.empty() && holds(*audience, options.audience) : options.audience.empty();
  if (!is_meant) refuse("is meant for another audience");
}

void add_roles(Principal& principal, const JsonNode& claims) {
  const auto add = [&principal](std::string_view name) {
    if (const auto role = known_role(name)) principal.roles.push_back(*role);
  };
  if (const auto roles = member(claims, "roles")) {
    for (const JsonNode& role : roles->items()) add(role.text());
  }
  std::string_view words;
  const auto scope = member(claims, "scope");
  if (scope) words = scope->text();
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    add(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
}

}  // namespace

struct TokenKeys::Key {
  std::string id;
  std::string_view algorithm;
  KeyPtr key;
  std::string secret;  // of HS256, which has no key

  static std::optional<Key> read(const JsonNode& from);
  bool accepts(std::string_view signature, std::string_view text) const;
};

// Nothing: a type or curve that is not ours; sets hold keys for other uses too (RFC 7517, section 5).
std::optional<TokenKeys::Key> TokenKeys::Key::read(const JsonNode& from) {
  const std::string type = text_of(from, "kty"), curve = text_of(from, "crv"), use = text_of(from, "use");
  Key out{.id = text_of(from, "kid"), .algorithm = {}, .key = nullptr, .secret = {}};
  if (!use.empty() && use != "sig") return std::nullopt;
  if (type == "OKP" && curve == "Ed25519") {
    out.algorithm = "EdDSA";
    out.key = edwards_key(from);
  } else if (type == "EC" && curve == "P-256") {
    out.algorithm = "ES256";
    out.key = curve_key(from);
  } else if (type == "RSA") {
    out.algorithm = "RS256";
    out.key = rsa_key(from);
  } else if (type == "oct") {
    out.algorithm = "HS256";
    out.secret = bytes_in(from, "k");
    if (out.secret.size() < kLeastSecret) from.refuse("a secret needs 32 bytes");
  } else {
    return std::nullopt;
  }
  if (!out.key && out.secret.empty()) from.refuse("this is no " + out.id + " key of type " + type);
  const std::string named = text_of(from, "alg");
  if (!named.empty() && named != out.algorithm) return std::nullopt;
  return out;
}

bool TokenKeys::Key::accepts(std::string_view signature, std::string_view text) const {
  if (algorithm == "EdDSA") return verifies(key.get(), nullptr, signature, text);
  if (algorithm == "RS256") return verifies(key.get(), EVP_sha256(), signature, text);
  if (algorithm == "ES256") {
    const std::string der = der_of(signature);
    return !der.empty() && verifies(key.get(), EVP_sha256(), der, text);
  }
  std::array<unsigned char, 32> code{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes_of(text), text.size(), code.data(), &size);
  return signature.size() == size && CRYPTO_memcmp(code.data(), signature.data(), size) == 0;
}

TokenKeys::TokenKeys(TokenOptions options) : options_(std::move(options)) {
  const std::string where = options_.key_file.string();
  try {
    const JsonText text(base::read_file(options_.key_file, kMaxKeyFile));
    const auto keys = member(text.root(), "keys");
    if (!keys) text.root().refuse("a key set has a member 'keys'");
    for (const JsonNode& key : keys->items()) {
      if (auto known = Key::read(key)) keys_.push_back(*std::move(known));
    }
  } catch (const Error& error) {
    if (error.where() == where) throw;
    throw Error(error.code(), error.message(), where + (error.where().empty() ? "" : ": " + error.where()),
                error.hint().empty() ? "give a JSON Web Key Set (RFC 7517)" : error.hint());
  }
  if (keys_.empty()) {
    throw Error(ErrorCode::invalid_argument, "the set has no key that is known here", where,
                "give Ed25519, P-256, RSA or secret keys");
  }
}

TokenKeys::~TokenKeys() = default;

bool TokenKeys::looks_like(std::string_view credential) noexcept {
  const std::size_t first = credential.find('.'), last = credential.rfind('.');
  return credential.starts_with("eyJ") && first != std::string_view::npos && first != last;
}

Principal TokenKeys::principal(std::string_view token, Clock::time_point now) const {
  if (token.size() > kMaxToken || !looks_like(token)) refuse("is not one");
  const Parts parts = parts_of(token);
  const auto header = decoded(parts.header), payload = decoded(parts.payload), signature = decoded(parts.signature);
  if (!header || !payload || !signature) refuse("is not base64url");
  try {
    const JsonText head(*header);
    if (member(head.root(), "crit")) refuse("needs an extension that is not known here");
    const std::string algorithm = text_of(head.root(), "alg"), id = text_of(head.root(), "kid");
    const bool is_signed = std::ranges::any_of(keys_, [&](const Key& key) {
      return key.algorithm == algorithm && (id.empty() || key.id.empty() || key.id == id) &&
             key.accepts(*signature, parts.signed_part);
    });
    if (!is_signed) refuse("is not signed by a key that is known here");
    const JsonText body(*payload);
    const JsonNode claims = body.root();
    check_times(claims, seconds_of(now));
    check_parties(claims, options_);
    Principal out;
    const std::string subject = text_of(claims, "sub");
    if (subject.empty()) refuse("names nobody; 'sub' is needed");
    out.name = "jwt:" + subject;
    add_roles(out, claims);
    if (const auto models = member(claims, "models")) {
      out.models = models->texts();
      if (out.models.empty()) out.models.emplace_back();  // an empty list allows none, no list allows all
    }
    out.tenant_name = text_of(claims, "tenant");
    return out;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::permission_denied) throw;
    refuse("is malformed: " + error.message());
  }
}

}  // namespace skerry::serve
