-- Whom a hub calls by that name. Its own names come first; a user name counts for those it calls
-- nothing else.
CREATE OR REPLACE FUNCTION hub_sessions_person(p_hub bigint, p_name text)
RETURNS TABLE (id bigint) LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT n.user_id FROM hub_sessions_hubusername n
         WHERE n.hub_id = p_hub AND n.name = p_name),
        (SELECT u.id FROM accounts_user u WHERE u.username = p_name AND NOT EXISTS (
            SELECT FROM hub_sessions_hubusername n
            WHERE n.hub_id = p_hub AND n.user_id = u.id)))
$$;

-- Whether a session of its own events, ready at that moment, is the server that was adopted: since
-- its start, up to the list that proved it, no other could be in its place.
CREATE OR REPLACE FUNCTION hub_sessions_is_adopted(
    p_ready timestamptz, p_from timestamptz, p_until timestamptz
) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(p_ready BETWEEN p_from - interval '1 minute' AND p_until, false)
$$;

-- The next begin in the seat, that of p_keys left out, and of what was made from lists of the very
-- server that its own events say was ready at p_ready.
CREATE OR REPLACE FUNCTION hub_sessions_next_begin(
    p_hub bigint, p_keys uuid[], p_seat uuid, p_after timestamptz, p_ready timestamptz
) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT min(s.begins_at) FROM hub_sessions_session s
        WHERE s.hub_id = p_hub AND s.seat = p_seat AND s.begins_at > p_after
            AND s.key <> ALL (p_keys)
            AND NOT hub_sessions_is_adopted(p_ready, s.adopted_from, s.adopted_until));
END $$;

-- Whether a session, those of p_keys left out, follows from the own events of an adopted server.
CREATE OR REPLACE FUNCTION hub_sessions_is_told(
    p_hub bigint, p_keys uuid[], p_seat uuid, p_from timestamptz, p_until timestamptz
) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM hub_sessions_session s
        WHERE s.hub_id = p_hub AND s.seat = p_seat AND s.adopted_until IS NULL
            AND s.cpu_millicores IS NOT NULL AND s.key <> ALL (p_keys) AND hub_sessions_is_adopted(s.ready_at, p_from, p_until));
END $$;

-- The part of each session record that follows from events alone, and from who belongs to which
-- group by the rows of now. The place in the seat is looked up in the table, except that of p_keys.
-- What follows from lists alone is over as it begins once events say when the same server was ready
-- and how large it is; until then nothing ends it that begins before the list that proved it.
CREATE OR REPLACE FUNCTION hub_sessions_derived(p_hub bigint, p_keys uuid[])
RETURNS TABLE (
    key uuid, attributed_by text, user_name text, server text, seat uuid, user_id bigint,
    group_id bigint, requested_at timestamptz, ready_at timestamptz, stopped_at timestamptz,
    superseded_at timestamptz, stopped_before_ready boolean,
    request jsonb, resources jsonb, ready jsonb, stop jsonb
) LANGUAGE sql STABLE AS $$
    WITH told AS (
        SELECT e.*, (e.ready ->> 'since')::timestamptz AS adopted_from,
            (e.ready ->> 'seen')::timestamptz AS adopted_until
        FROM hub_sessions_evidence(p_hub, p_keys) e
    ), placed AS (
        SELECT e.*, md5(length(e.user_name) || ':' || e.user_name || e.server)::uuid AS seat,
            least(e.requested_at, e.ready_at) AS begins_at,
            CASE WHEN e.adopted_until IS NULL AND (e.resources IS NOT NULL OR EXISTS (
                    SELECT FROM hub_sessions_session f
                    WHERE f.hub_id = p_hub AND f.key = e.key AND f.cpu_millicores IS NOT NULL))
                THEN e.ready_at END AS charged_from
        FROM told e
    ), followed AS (
        SELECT p.*, least(
            CASE WHEN p.adopted_until IS NULL THEN
                min(p.begins_at) FILTER (WHERE p.adopted_until IS NULL) OVER (
                    PARTITION BY p.seat ORDER BY p.begins_at
                    RANGE BETWEEN '1 second' FOLLOWING AND UNBOUNDED FOLLOWING)
            ELSE
                (SELECT min(o.begins_at) FROM placed o
                 WHERE o.seat = p.seat AND o.begins_at > p.adopted_until)
            END,
            hub_sessions_next_begin(p_hub, p_keys, p.seat, coalesce(p.adopted_until, p.begins_at),
                p.charged_from),
            CASE WHEN p.adopted_until IS NULL
                AND (SELECT bool_or(a.adopted_until IS NOT NULL) FROM placed a)
            THEN
                (SELECT min(a.begins_at) FROM placed a
                 WHERE a.seat = p.seat AND a.adopted_until IS NOT NULL AND a.begins_at > p.begins_at
                    AND NOT hub_sessions_is_adopted(p.charged_from, a.adopted_from, a.adopted_until))
            END,
            CASE WHEN p.adopted_until IS NOT NULL AND (
                EXISTS (SELECT FROM placed o WHERE o.seat = p.seat
                    AND hub_sessions_is_adopted(o.charged_from, p.adopted_from, p.adopted_until))
                OR hub_sessions_is_told(p_hub, p_keys, p.seat, p.adopted_from, p.adopted_until))
            THEN p.begins_at END
        ) AS next_at
        FROM placed p
    )
    SELECT f.key, f.decided_by, f.user_name, f.server, f.seat, person.id,
        (SELECT m.group_id FROM accounts_membership m JOIN accounts_group g ON g.id = m.group_id
         WHERE m.user_id = person.id AND g.name = f.request ->> 'group'
            AND m.valid_from <= f.requested_at
            AND (m.valid_to IS NULL OR m.valid_to > f.requested_at) LIMIT 1),
        f.requested_at, f.ready_at, f.stopped_at,
        CASE WHEN f.begins_at IS NOT NULL AND f.next_at < coalesce(f.stopped_at, 'infinity')
            THEN f.next_at END,
        f.stopped_before_ready, f.request, f.resources, f.ready, f.stop
    FROM followed f
    CROSS JOIN LATERAL (SELECT * FROM hub_sessions_person(p_hub, f.user_name) OFFSET 0) person
$$;
