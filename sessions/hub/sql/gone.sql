-- Whom snapshots say to be gone, after sessions (p_keys; p_before: as some of them were) or snapshots
-- have changed. Looks only at sessions, and only as far back, as that can make a difference.
-- Answers with the sessions whose end changed.
CREATE OR REPLACE FUNCTION hub_sessions_follow_snapshots(
    p_hub bigint, p_keys uuid[], p_before hub_sessions_session[],
    p_snapshots bigint[], p_newcomer bigint
) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    newest timestamptz;
    since timestamptz;
    changed_from timestamptz;
    suspects uuid[] := '{}';
BEGIN
    SELECT max(s.time) INTO newest FROM hub_sessions_snapshot s WHERE s.hub_id = p_hub;
    IF newest IS NULL THEN
        RETURN '{}';
    END IF;
    SELECT c.grown_from, c.changed_from INTO since, changed_from
    FROM hub_sessions_changes(p_hub, p_keys, p_before, newest) c;
    IF since IS NOT NULL THEN
        suspects := p_keys;
    END IF;
    -- Who runs decides whether an empty snapshot counts, and that may end anybody.
    IF changed_from IS NOT NULL AND NOT EXISTS (
        SELECT FROM hub_sessions_snapshot s
        WHERE s.hub_id = p_hub AND s.is_complete AND s.time >= changed_from AND s.listed = 0)
    THEN
        changed_from := NULL;
    END IF;
    IF changed_from IS NOT NULL OR p_snapshots IS NOT NULL THEN
        SELECT coalesce(max(s.time), '-infinity') INTO changed_from
        FROM hub_sessions_snapshot s
        WHERE s.hub_id = p_hub AND s.is_complete AND s.listed > 0 AND s.time < least(
            changed_from, (SELECT min(n.time) FROM hub_sessions_snapshot n
                           WHERE n.id = ANY (p_snapshots)));
        suspects := suspects || hub_sessions_suspects(
            p_hub, changed_from, newest, CASE WHEN since IS NULL THEN p_newcomer END);
        since := least(since, changed_from);
    END IF;
    RETURN CASE WHEN since IS NULL THEN '{}' ELSE hub_sessions_settle(p_hub, suspects, since) END;
END $$;

-- What changed before the newest snapshot. grown_from: the earliest ready of the sessions that
-- snapshots must judge anew, since they run longer or elsewhere than before; changed_from: the
-- first moment at which a session runs now and did not before, or the reverse.
CREATE OR REPLACE FUNCTION hub_sessions_changes(
    p_hub bigint, p_keys uuid[], p_before hub_sessions_session[], p_newest timestamptz
) RETURNS TABLE (grown_from timestamptz, changed_from timestamptz) LANGUAGE sql STABLE AS $$
    WITH pair AS (
        SELECT s.ready_at, b.ready_at AS was_ready_at,
            b.ready_at IS DISTINCT FROM s.ready_at OR b.seat IS DISTINCT FROM s.seat AS moved,
            coalesce(least(s.stopped_at, s.superseded_at), 'infinity') AS ends_at,
            coalesce(least(b.stopped_at, b.superseded_at), 'infinity') AS was_ends_at
        FROM hub_sessions_these(p_hub, p_keys) s LEFT JOIN unnest(p_before) b ON b.key = s.key
        WHERE s.ready_at < p_newest
    )
    SELECT min(ready_at) FILTER (WHERE moved OR ends_at > was_ends_at),
        min(CASE WHEN moved THEN least(ready_at, was_ready_at) ELSE least(ends_at, was_ends_at) END)
            FILTER (WHERE moved OR ends_at <> was_ends_at)
    FROM pair
$$;

-- Sessions of which snapshots from p_since on may say something new. Where p_newcomer is all that
-- changed, those that it lists are left out unless they were thought to be gone.
CREATE OR REPLACE FUNCTION hub_sessions_suspects(
    p_hub bigint, p_since timestamptz, p_newest timestamptz, p_newcomer bigint
) RETURNS uuid[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(
        WITH listed AS MATERIALIZED (
            SELECT unnest(p.sessions) AS key FROM hub_sessions_snapshotpart p
            WHERE p.snapshot_id = p_newcomer
        )
        SELECT s.key FROM hub_sessions_session s
        WHERE s.hub_id = p_hub AND s.ready_at < p_newest
            AND (s.ended_at IS NULL OR s.ended_at > p_since OR s.absent_at IS NOT NULL)
            AND coalesce(least(s.stopped_at, s.superseded_at), 'infinity') > p_since
            AND (s.absent_at IS NOT NULL OR NOT EXISTS (SELECT FROM listed l WHERE l.key = s.key))
    );
END $$;

-- Write when these sessions were found to be gone; what snapshots before p_since said is known.
CREATE OR REPLACE FUNCTION hub_sessions_settle(p_hub bigint, p_keys uuid[], p_since timestamptz)
RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    settled uuid[];
BEGIN
    WITH found AS MATERIALIZED (
        SELECT s.number, gone.absent_at, e.ended_at, e.end_source
        FROM hub_sessions_session s
        LEFT JOIN hub_sessions_absent(p_hub, p_keys, p_since) a USING (key)
        CROSS JOIN LATERAL (
            SELECT CASE WHEN s.absent_at < p_since THEN s.absent_at ELSE a.absent_at END
        ) AS gone (absent_at)
        CROSS JOIN LATERAL hub_sessions_sourced_end(
            p_hub, s.ready_at, s.stopped_at, s.superseded_at, gone.absent_at, s.stop_source) e
        WHERE s.hub_id = p_hub AND s.key = ANY (p_keys)
    ), updated AS (
        UPDATE hub_sessions_session s
        SET absent_at = f.absent_at, ended_at = f.ended_at, end_source = f.end_source
        FROM found f
        WHERE f.number = s.number
            AND (f.absent_at, f.end_source) IS DISTINCT FROM (s.absent_at, s.end_source)
        RETURNING s.key
    )
    SELECT coalesce(array_agg(u.key), '{}') INTO settled FROM updated u;
    RETURN settled;
END $$;
