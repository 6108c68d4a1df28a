"""Nobody decides about a write-back who is not a reviewer with a second factor."""

from __future__ import annotations


def test_every_route_but_that_of_the_public_keys_asks_for_a_reviewers_token(cloud):
    routes = {route["RouteKey"]: route for route in cloud.properties("AWS::ApiGatewayV2::Route")}
    assert set(routes) == {"ANY /{proxy+}", "GET /keys/{ehr}"}
    assert routes["GET /keys/{ehr}"]["AuthorizationType"] == "NONE"
    route = routes["ANY /{proxy+}"]
    assert route["AuthorizationType"] == "JWT"
    ((authorizer, _),) = cloud.resources("AWS::ApiGatewayV2::Authorizer")
    assert route["AuthorizerId"] == {"Ref": authorizer}


def test_the_token_must_be_of_our_pool_and_for_our_client(cloud):
    (authorizer,) = cloud.properties("AWS::ApiGatewayV2::Authorizer")
    ((client, _),) = cloud.resources("AWS::Cognito::UserPoolClient")
    issuer = authorizer["JwtConfiguration"]["Issuer"]["Fn::Join"][1]
    assert authorizer["JwtConfiguration"]["Audience"] == [{"Ref": client}]
    assert issuer[:2] == ["https://cognito-idp.", {"Ref": "AWS::Region"}]
    assert "Pool" in issuer[-1]["Fn::ImportValue"]
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]


def test_reviewers_are_made_by_an_administrator_and_need_a_second_factor(cloud):
    (pool,) = cloud.properties("AWS::Cognito::UserPool")
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert pool["MfaConfiguration"] == "ON"
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
    assert pool["DeletionProtection"] == "ACTIVE"


def test_there_are_clinicians_registration_and_stewards(cloud):
    groups = {it["GroupName"] for it in cloud.properties("AWS::Cognito::UserPoolGroup")}
    assert groups == {"clinician", "registration", "steward"}


def test_a_stolen_token_is_soon_worthless(cloud):
    (client,) = cloud.properties("AWS::Cognito::UserPoolClient")
    assert client["EnableTokenRevocation"] is True
    assert client["AccessTokenValidity"] <= 60
    assert client["TokenValidityUnits"]["AccessToken"] == "minutes"
    assert client["PreventUserExistenceErrors"] == "ENABLED"


def test_calls_are_limited_and_logged_without_query_or_body(cloud):
    (stage,) = cloud.properties("AWS::ApiGatewayV2::Stage")
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] <= 100
    line = stage["AccessLogSettings"]["Format"]
    assert "$context.status" in line
    assert "query" not in line.lower()
    assert "body" not in line.lower()


def test_review_ends_before_the_api_gives_up(cloud):
    assert cloud.function("review")["Timeout"] < 30
