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

-- The part of each session record that follows from events alone, and from who belongs to which
-- group by the rows of now. The place in the seat is looked up in the table, except that of p_keys.
CREATE OR REPLACE FUNCTION hub_sessions_derived(p_hub bigint, p_keys uuid[])
RETURNS TABLE (
    key uuid, attributed_by text, user_name text, server text, seat uuid, user_id bigint,
    group_id bigint, requested_at timestamptz, ready_at timestamptz, stopped_at timestamptz,
    superseded_at timestamptz, stopped_before_ready boolean,
    request jsonb, resources jsonb, ready jsonb, stop jsonb
) LANGUAGE sql STABLE AS $$
    WITH placed AS (
        SELECT e.*, md5(length(e.user_name) || ':' || e.user_name || e.server)::uuid AS seat,
            least(e.requested_at, e.ready_at) AS begins_at
        FROM hub_sessions_evidence(p_hub, p_keys) e
    ), followed AS (
        SELECT p.*, least(
            min(p.begins_at) OVER (
                PARTITION BY p.seat ORDER BY p.begins_at
                RANGE BETWEEN '1 second' FOLLOWING AND UNBOUNDED FOLLOWING),
            (SELECT min(s.begins_at) FROM hub_sessions_session s
             WHERE s.hub_id = p_hub AND s.seat = p.seat AND s.begins_at > p.begins_at
                AND s.key <> ALL (p_keys))
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
