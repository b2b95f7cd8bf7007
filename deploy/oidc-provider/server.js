// An OpenID provider for the tests: server.js PORT REDIRECT_URI. Anybody may be anybody.
import Provider from "oidc-provider";

const [port, redirectUri] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const claims = (sub) => ({
  sub,
  name: `${sub} of the test`,
  preferred_username: sub,
  email: `${sub}@demo.example`,
  email_verified: true,
  voperson_id: `${sub}-${"0".repeat(58)}@egi.eu`,
  eduperson_scoped_affiliation: ["member@ed.ac.example"],
  eduperson_entitlement: ["urn:mace:egi.eu:group:lsst.demo.example:transients#aai.demo.example"],
});

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "portal",
      client_secret: "a secret: with + & % in it",
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  claims: {
    openid: ["sub"],
    profile: ["name", "preferred_username"],
    email: ["email", "email_verified"],
    voperson_id: ["voperson_id"],
    eduperson_entitlement: ["eduperson_entitlement"],
    eduperson_scoped_affiliation: ["eduperson_scoped_affiliation"],
  },
  cookies: { keys: ["known to everybody"] },
  features: { devInteractions: { enabled: true } },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => claims(sub) }),
  pkce: { required: () => true },
});
provider.listen(Number(port), "127.0.0.1", () => console.log(`ready at ${issuer}`));
